// What Node's types lack of DeviceScript's, for the firmware's sources that tests import.

interface BufferConstructor {
    readonly prototype: Buffer
}

interface Buffer {
    /** Looks no further than `end`. */
    indexOf(byte: number, start: number, end: number): number
}

interface Array<T> {
    /** Makes room for `count` elements at `index`; a negative count removes. */
    insert(index: number, count: number): void
}
