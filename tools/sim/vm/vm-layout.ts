// Where things are inside the VM of @devicescript/cli 2.16.4. Every number here belongs to the one wasm of `vmSha256`, which
// is checked before any of them is used; another wasm is refused.

export const vmSha256 = "a56742b09dd4bfe278815676ac94231ed4f8995cee6260818f5d758d8ab6ee1d"

/** runtime/devicescript/devs_internal.h: struct devs_ctx, wasm32. */
export const ctxLayout = {
    numPins: 74,
    /** Everything behind it is no pointer into the heap. */
    bytes: 300,
    stack: 88,
    currFiber: 236,
    sequence: 284,
    gc: 288,
    pinState: 296,
}

/** struct devs_fiber: what the fiber waits for. */
export const fiberLayout = { awaiting: 8, kind: 16 }
export const fiberKindAwaiting = 5

/** struct devs_pin_state. */
export const pinLayout = { bytes: 24, gpio: 13, mode: 14 }

/** struct devs_gc: six words, then the chunk; a block's first word is tag << 24 | words. */
export const gcLayout = {
    bytes: 24,
    firstChunk: 4,
    wordsSinceGc: 16,
    chunkEnd: 4,
    chunkHeaderBytes: 8,
    tagMask: 0xf,
    tagPinned: 0x40,
    tagFree: 1,
    tagBuffer: 5,
    tagString: 6,
    tagLongString: 12,
    /** struct devs_buffer: the object attached to it. */
    bufferAttached: 8,
}

/** jd_dcfg.c: mfr_config and dcfg_inited. */
export const dcfgLayout = { config: 33820, inited: 33840 }

/** jd_util.c: the state of jd_random, which a board seeds from its hardware at start (platform.c) and the VM does not. */
export const randomSeed = 35008

/** Our own page behind the VM's memory: counters, the histogram of operations, their cost, the arguments of a native call. */
export const meterLayout = {
    counters: 0,
    args: 128,
    reachAll: 160,
    histogram: 256,
    opCost: 256 + 1024,
    bytes: 256 + 2048,
}

/** Counters that the patched VM keeps, one word each, in this order. `opNs` is the cost of all operations. */
export const meterWords = [
    "opNs",
    "calls",
    "allocs",
    "allocBytes",
    "memsets",
    "memsetBytes",
    "memcpys",
    "memcpyBytes",
    "gcRuns",
    "shaBlocks",
    "numberTexts",
    "doubles",
    "slices",
] as const
export type MeterWord = (typeof meterWords)[number]

/** What a patched function asks of the host: first argument of the call. */
export const hostCall = {
    spiXfer: 1,
    spiConfigure: 2,
    setMode: 3,
    pinValue: 4,
    pinsReset: 5,
    txReady: 6,
    last: 6,
} as const
