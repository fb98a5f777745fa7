// What a builder may change: the array's shape, clocks and the pair's timers. Everything here is known at build time, so that all
// buffers are allocated at boot.

export const protocolVersion = 1

/** Rows of a segment in an array that is made new: 64 KB of each element, the NOR chips' fast erase block; more where the elements are large. */
export const segmentRows = 256
/** The most segments an array may have: 3 bytes of RAM each, for both volumes. */
export const segmentsMax = 256

/** RP2040 at 125 MHz: 15.6 MHz, within reach of breadboard wires; a W25Q reads at up to 50 MHz. */
export const spiHz = 16000000

/** How often lines and timers are looked at: the greatest delay of noticing a partner's death by its line. */
export const tickMs = 10
/** The same while a fence is under way. */
export const fenceTickMs = 2
export const beatMs = 100
/** A partner unheard for this long is silent: four beats. */
export const silentMs = 400
/** A node that hears others and cannot speak itself for this long starts anew. */
export const muteMsMax = 8000
/** A node that heard nobody at all for this long does not judge its partner by silence. */
export const busQuietMs = 1500
/** After boot a partner that has not come up yet is given this long. */
export const bootGraceMs = 4000
/** A fence that has not worked by then is given up. */
export const fenceMsMax = 100
/** A partner that claims this node's array without resetting it must do so for this long before it is let go: a glitch of the line is shorter. */
export const letGoMs = 10
/** A partner that has not let go of its array by then, and was not to be forced, keeps it. */
export const letGoMsMax = 5000
/** A partner that was asked to let go, and whose OWN fell, is believed when a beat says so, too: for so long, else it is fenced. */
export const wordMsMax = 250
/** A partner that waits for giveback, after a takeover nobody asked for, is given its array back after this long. */
export const givebackMs = 10000
/** So many givebacks of its own accord in so long; then only when asked, until the time is over: a board that keeps dying is left alone. */
export const givebacksMax = 3
export const givebackWindowMs = 600000
/** How long a reset pulse lasts at least; RP2040 datasheet §2.12.3 needs far less. */
export const resetMs = 2
/** After a takeover or a mount failed, how long until the next try. */
export const retryMs = 5000
/** The same while the partner itself says that its array cannot be read: each try resets it. */
export const faultRetryMs = 60000
/** That others speak while the partner is silent is believed after so many ticks: a node that stalled for long may look at the clock
 * before it looks at the packets that came meanwhile, and stall again. */
export const confirmTicks = 4
/** A node that waits for giveback, and never heard who holds its array, gives the holder this long before it fences it. Longer than the holder
 * takes for its mount and then for `hungMs`: one that lives resets this node first, and two that do not hear each other stay as they are. */
export const holderMsMax = 90000
/** A partner whose volume this node has, and that is silent for so long, hangs or has no power: its RESET is pulled, and again after as long.
 * Longer than a board is silent while it gets a new program, on a bus that loses a frame in seven too: 46 s. */
export const hungMs = 60000
/** A worker that is at one step for longer does not come back: this node starts anew. Longer than any change of control may take. */
export const workerMsMax = 30000
/** A mount with the copies finished, or a release, that takes longer is given up. */
export const changeMsMax = 20000
/** A reply waits this long for the partner's copy before it goes out as unprotected. */
export const copyWaitMs = 250
/** A copy that the partner has not told of by then was lost: it gets it, or the word that it is durable. Longer than a notice of what is
 * recorded waits for others. */
export const lostMs = 60

/** Blocks of an upload a host may have under way beyond what is acknowledged. */
export const windowBlocks = 16
