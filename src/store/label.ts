// The label of each element: which volume's array it belongs to, and its place. Page 0 of the element; written last when formatting, so
// its presence says that the rest is there. docs/FORMAT.md, "Label".
//
// Crash order: the labels of a new array are written one after the other. A mount completes what a cut left, but only on an element
// that holds the array's newest anchor: a blank or foreign one has none of the data and stays out.

import { MirrorArray } from "../array/mirror"
import { platform } from "../platform"
import {
    atBody,
    atOwner,
    atType,
    formatVersion,
    pageBufferBytes,
    pageIsBlank,
    pageIsGood,
    sealPage,
    typeLabel,
} from "./page"

/** In a label: the element fell behind the others and is not to be read, alone or with them. */
const stateLeftOut = 1

/** "TWIN" in the order its bytes have on flash. */
const magic = 0x4e495754
const sectorPages = 16

export class Labels {
    /** Elements, as bits, with a good label. */
    labelled: number
    private array: MirrorArray
    private buffer: Buffer
    private volume: number
    arrayId: number
    private leftOut: boolean

    constructor(array: MirrorArray, buffer: Buffer, volume: number) {
        this.array = array
        this.buffer = buffer
        this.volume = volume
        this.labelled = 0
        this.arrayId = 0
        this.leftOut = false
    }

    /**
     * Reads the labels of all elements that answer.
     * @returns false when no element answers, or one is labelled for another array, place, shape or version: nothing may be written then
     */
    async inspect(): Promise<boolean> {
        const array = this.array
        const buffer = this.buffer
        this.labelled = 0
        this.arrayId = 0
        this.leftOut = false
        let answered = false
        for (let element = 0; element < array.elements; element++) {
            if (!(await array.read(0, buffer, element))) continue
            answered = true
            if (!pageIsGood(buffer, 0) || buffer[atType] !== typeLabel || buffer.getAt(atBody, "u32") !== magic)
                continue
            const id = buffer.getAt(atOwner, "u32")
            if (
                buffer.getAt(atBody + 4, "u16") !== formatVersion ||
                buffer[atBody + 6] !== this.volume ||
                buffer[atBody + 7] !== element ||
                buffer[atBody + 8] !== array.elements ||
                buffer.getAt(atBody + 10, "u16") !== array.segmentPages ||
                (this.arrayId !== 0 && id !== this.arrayId)
            )
                return false
            array.pages = buffer.getAt(atBody + 12, "u32")
            this.arrayId = id
            if (buffer[atBody + 9] === stateLeftOut) this.leftOut = true
            else this.labelled |= 1 << element
        }
        // only elements that were left out: what they hold is older than what was acknowledged
        return answered && !(this.labelled === 0 && this.leftOut)
    }

    /** Names a new array. */
    choose(): number {
        this.arrayId = platform.random() | 1
        return this.arrayId
    }

    /** Labels every element in use that has none. */
    async write(): Promise<void> {
        const array = this.array
        for (let element = 0; element < array.elements; element++) {
            if (this.labelled & (1 << element)) continue
            if (!(await array.read(0, this.buffer, element))) continue
            await this.writeOne(element, 0)
            this.labelled |= 1 << element
        }
    }

    /** Marks the elements of `mask`, which answer but have fallen behind, so that none of them is ever taken for the array. */
    async leaveOut(mask: number): Promise<void> {
        const array = this.array
        const members = array.members
        for (let element = 0; element < array.elements; element++) {
            if (!(mask & this.labelled & (1 << element))) continue
            array.admit(1 << element)
            await this.writeOne(element, stateLeftOut)
            array.use(members)
        }
    }

    private async writeOne(element: number, state: number): Promise<void> {
        const array = this.array
        const buffer = this.buffer
        if (!(await array.read(0, buffer, element))) return
        if (!pageIsBlank(buffer)) {
            await array.eraseOne(element, 0, sectorPages)
            await array.settle()
        }
        buffer.fillAt(0, pageBufferBytes, 0)
        buffer[atType] = typeLabel
        buffer.setAt(atOwner, "u32", this.arrayId)
        buffer.setAt(atBody, "u32", magic)
        buffer.setAt(atBody + 4, "u16", formatVersion)
        buffer[atBody + 6] = this.volume
        buffer[atBody + 7] = element
        buffer[atBody + 8] = array.elements
        buffer[atBody + 9] = state
        buffer.setAt(atBody + 10, "u16", array.segmentPages)
        buffer.setAt(atBody + 12, "u32", array.pages)
        sealPage(buffer, 0)
        await array.programOne(element, 0, buffer)
        await array.settle()
    }
}
