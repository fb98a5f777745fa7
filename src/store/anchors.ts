// Anchors: small records in a ring of sectors in the reserved segment, each saying which segment the log is in, and who controls the
// array (the epoch). One is written for each segment entered and each change of control, so the ring wears no faster than
// the log does.
//
// Promises: the newest good anchor is found with a bounded number of reads (one per sector of the ring and one per slot of a
// sector); an anchor torn by a power cut leaves the one before it newest. The first slot of a sector is only ever
// programmed by the mount that erased the sector.
//
// Crash order: 1 erase the sector (first slot only), 2 settle, 3 program the slot, 4 settle.

import { MirrorArray } from "../array/mirror"
import {
    atBody,
    atOwner,
    atType,
    headerBufferBytes,
    noPage,
    pageBufferBytes,
    pageIsGood,
    sealPage,
    typeAnchor,
    typeBlank,
} from "./page"

const sectorPages = 16

export class Anchors {
    epoch: number
    segment: number
    start: number
    root: number
    serial: number
    /** A header-sized buffer that is free between calls. */
    header: Buffer
    private array: MirrorArray
    private scratch: Buffer
    private sequence: number
    private sectors: number
    /** Page of the reserved segment the next anchor goes to; its sector must be erased first when it is the sector's first. */
    private slot: number

    constructor(array: MirrorArray, scratch: Buffer) {
        this.array = array
        this.scratch = scratch
        this.header = Buffer.alloc(headerBufferBytes)
        this.sectors = (array.segmentPages / sectorPages) | 0
        this.begin()
    }

    /** The ring is blank. */
    begin(): void {
        this.sequence = 0
        this.slot = sectorPages
        this.epoch = 0
    }

    async append(epoch: number, segment: number, start: number, root: number, serial: number): Promise<void> {
        const array = this.array
        if (this.slot % sectorPages === 0) {
            await array.erase(this.slot, sectorPages)
            await array.settle()
        }
        const buffer = this.scratch
        buffer.fillAt(0, pageBufferBytes, 0)
        buffer[atType] = typeAnchor
        buffer.setAt(atOwner, "u32", ++this.sequence)
        buffer.setAt(atBody, "u32", epoch)
        buffer.setAt(atBody + 4, "u16", segment)
        buffer.setAt(atBody + 6, "u16", start)
        buffer.setAt(atBody + 8, "u32", root)
        buffer.setAt(atBody + 12, "u32", serial)
        sealPage(buffer, this.slot)
        await array.program(this.slot, buffer)
        await array.settle()
        this.slot++
        if (this.slot === this.sectors * sectorPages) this.slot = sectorPages
        this.epoch = epoch
    }

    /** Loads the newest anchor. @returns false when there is none */
    async findNewest(): Promise<boolean> {
        let sector = 0
        let newest = 0
        for (let i = 1; i < this.sectors; i++) {
            if (!(await this.readAnchor(i * sectorPages))) continue
            const sequence = this.scratch.getAt(atOwner, "u32")
            if (sequence > newest) {
                newest = sequence
                sector = i
            }
        }
        if (sector === 0) return false
        // within the sector: the last programmed slot, and back from there to one that is good
        const first = sector * sectorPages
        let used = 0
        for (let i = 1; i < sectorPages; i++) if (!(await this.isBlank(first + i))) used = i
        let at = used
        while (!(await this.readAnchor(first + at))) at--
        const buffer = this.scratch
        this.sequence = buffer.getAt(atOwner, "u32")
        this.epoch = buffer.getAt(atBody, "u32")
        this.segment = buffer.getAt(atBody + 4, "u16")
        this.start = buffer.getAt(atBody + 6, "u16")
        this.root = buffer.getAt(atBody + 8, "u32")
        this.serial = buffer.getAt(atBody + 12, "u32")
        // a slot whose programming was cut may read as blank: leave one free
        const next = first + used + 2
        this.slot = used + 2 < sectorPages ? next : first + sectorPages
        if (this.slot === this.sectors * sectorPages) this.slot = sectorPages
        return true
    }

    private async readAnchor(page: number): Promise<boolean> {
        const buffer = this.scratch
        for (let attempt = 0; attempt < this.array.copies; attempt++) {
            if (!(await this.array.read(page, buffer, attempt))) continue
            if (pageIsGood(buffer, page) && buffer[atType] === typeAnchor && buffer.getAt(atBody + 8, "u32") !== noPage)
                return true
        }
        return false
    }

    private async isBlank(page: number): Promise<boolean> {
        for (let attempt = 0; attempt < this.array.copies; attempt++) {
            if (!(await this.array.read(page, this.header, attempt))) continue
            if (this.header[atType] !== typeBlank || this.header.getAt(atOwner, "i32") !== -1) return false
        }
        return true
    }
}
