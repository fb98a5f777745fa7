// What the types of Node's Buffer leave out and the firmware's tests need; the methods are in test/support/device-buffer.ts.

interface BufferConstructor {
    readonly prototype: Buffer
}

interface Buffer {
    /** DeviceScript's: looks no further than `end`. */
    indexOf(byte: number, start: number, end: number): number
}
