// What a builder may change: the array's shape, clocks and the pair's timers. Everything here is known at build time, so that all
// buffers are allocated at boot.

/** Firmware version, major << 16 | minor << 8 | patch; readable over the bus. */
export const firmwareVersion = 0x000100
export const protocolVersion = 1

/** Elements of each array: a mirror of two. */
export const elements = 2
/** Pages per segment: 64 KB, the NOR chips' fast erase block. */
export const segmentPages = 256
/** The largest array's segments: 16 MB elements of 64 KB blocks. */
export const segmentsMax = 256

/** RP2040 at 125 MHz: 15.6 MHz, within reach of breadboard wires; a W25Q reads at up to 50 MHz. */
export const spiHz = 16000000

/** How often lines and timers are looked at: the greatest delay of noticing a partner's death by its line. */
export const tickMs = 10
export const beatMs = 100
/** A partner unheard for this long is silent: four beats. */
export const silentMs = 400
/** A node that heard nobody at all for this long does not judge its partner by silence. */
export const busQuietMs = 1500
/** After boot a partner that has not come up yet is given this long. */
export const bootGraceMs = 4000
/** A fence that has not worked by then is given up. */
export const fenceMsMax = 100
/** How long a reset pulse lasts at least; RP2040 datasheet §2.12.3 needs far less. */
export const resetMs = 2
/** After a takeover failed, how long until the next try. */
export const retryMs = 5000
/** A reply waits this long for the partner's copy before it goes out as unprotected. */
export const copyWaitMs = 250

/** Blocks of an upload a host may have under way: more would overflow the bus's receive queue (8 full frames) while a node computes. */
export const windowBlocks = 12
