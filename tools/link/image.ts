// A program image, taken apart into its functions and the rest, and put together again. Source of the layout: devs_format.h of
// microsoft/devicescript: a header of 32 bytes, then for each of ten sections where it starts and its length, then the sections in this order.

const headerBytes = 32
const sectionCount = 10
const descriptorBytes = 16
/** The compiler fills images up to this. */
const imageAlign = 32

/** A function's place in the code is a number of 16 bits; the verifier counts the descriptors in (its check 1051). */
export const functionLimitBytes = 0xffff

// sections
const functions = 0
const functionCode = 1
export const asciiStrings = 4
export const serviceSpecs = 8

export interface LinkedFunction {
    /** As in the image; start and length are made anew. */
    descriptor: Uint8Array
    code: Uint8Array
}

export interface Image {
    header: Uint8Array
    functions: LinkedFunction[]
    /** All sections; those of the functions are made anew. */
    sections: Uint8Array[]
}

export const slotsOf = (f: LinkedFunction): number => viewOf(f.descriptor).getUint16(8, true)
export const argumentsOf = (f: LinkedFunction): number => f.descriptor[10]!
/** 1 needs `this`, 2 constructor, 4 rest arguments. */
export const flagsOf = (f: LinkedFunction): number => f.descriptor[11]!
export const nameOf = (f: LinkedFunction): number => viewOf(f.descriptor).getUint16(12, true)
export const tryDepthOf = (f: LinkedFunction): number => f.descriptor[14]!

export function viewOf(bytes: Uint8Array): DataView {
    return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** @param whole what the compiler wrote, also when its verifier refused it for the size of its functions */
export function readImage(whole: Uint8Array): Image {
    // a copy, and no Buffer: the slices below are copies then, too
    const bytes = new Uint8Array(whole)
    const view = viewOf(bytes)
    const sections = Array.from({ length: sectionCount }, (_, i) => {
        const start = view.getUint32(headerBytes + 8 * i, true)
        return bytes.slice(start, start + view.getUint32(headerBytes + 8 * i + 4, true))
    })
    const descriptors = sections[functions]!
    const list: LinkedFunction[] = []
    for (let at = 0; at < descriptors.length; at += descriptorBytes) {
        const descriptor = descriptors.slice(at, at + descriptorBytes)
        const start = viewOf(descriptor).getUint32(0, true)
        list.push({ descriptor, code: bytes.slice(start, start + viewOf(descriptor).getUint32(4, true)) })
    }
    return { header: bytes.slice(0, headerBytes), functions: list, sections }
}

export function writeImage({ header, functions: list, sections }: Image): Uint8Array {
    const codeStart = headerBytes + 8 * sectionCount + descriptorBytes * list.length
    let at = codeStart
    for (const { descriptor, code } of list) {
        viewOf(descriptor).setUint32(0, at, true)
        viewOf(descriptor).setUint32(4, code.length, true)
        at += code.length
    }
    const all = [...sections]
    all[functions] = Buffer.concat(list.map(({ descriptor }) => descriptor))
    all[functionCode] = Buffer.concat(list.map(({ code }) => code))
    const head = new Uint8Array(headerBytes + 8 * sectionCount)
    head.set(header)
    let start = head.length
    for (const [i, { length }] of all.entries()) {
        viewOf(head).setUint32(headerBytes + 8 * i, start, true)
        viewOf(head).setUint32(headerBytes + 8 * i + 4, length, true)
        start += length
    }
    const fill = new Uint8Array((imageAlign - (start % imageAlign)) % imageAlign)
    return new Uint8Array(Buffer.concat([head, ...all, fill]))
}

/** Where the code of the last function ends. */
export function functionBytesOf(image: Uint8Array): number {
    const at = headerBytes + 8 * functionCode
    return viewOf(image).getUint32(at, true) + viewOf(image).getUint32(at + 4, true)
}
