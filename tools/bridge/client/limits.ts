/** Every bound and timer of the client, unit last; those of PROTOCOL.md ("Timers of a host") first. */
import { windowBlocksMax } from "../protocol/numbers"

/** Waits between the sendings of a request that is not answered; the last one repeats. */
export const resendWaitsMs = [300, 600, 1_200, 2_000] as const
/** Nothing is given up earlier, unless the caller says so. */
export const timeoutDefaultMs = 30_000
/** Of two boards that bear one number, the one not heard for so long is gone. Meanwhile each may reset the other: a start takes 2 s. */
export const rivalMs = 10_000
/** After the first node was heard: beats come each 100 ms, 300 when a node is busy, so all have been heard by then. */
export const settleMs = 350

/** After `notController`, or `wrongEpoch` again and again: about one beat. */
export const roleWaitMs = 100
export const busyWaitMinMs = 50
export const busyWaitMaxMs = 400
/** How often `wrongEpoch` is answered at once with the epoch learnt, before it is given time. */
export const epochRetryMax = 3

/** Changing requests of one volume that may wait for their turn. */
export const sessionQueueMax = 1_024
/** How often an operation is begun again after `stale`, or after its session was forgotten. */
export const staleRetryMax = 4
/** How often `hello` is said again with the challenge learnt: each time another host was first, and of many that begin at once one is in each round. */
export const helloRetryMax = 64
/** From this one on it waits before, up to `busyWaitMaxMs`, so that not all ask at once again. */
export const helloEagerTries = 3
/** How long `close` and an aborted upload wait for the node's word. */
export const farewellMs = 2_000

/** No advance for so many of its usual intervals, and at least so long: one block is sent again, to be told why. */
export const uploadProbeIntervals = 4
export const uploadProbeMs = 60
/** Between two go-backs of one upload at the same offset; doubles up to the second. */
export const goBackMinMs = 100
export const goBackMaxMs = 2_000
export const uploadWindowBlocks = windowBlocksMax
/** All uploads together: some 90 ms of the wire. With more on their way they would be taken for lost, and sent again. */
export const uploadBlocksMax = 32
export const uploadWindowBlocksMin = 4
/** Uploads at once on one volume: as many as a node holds. More wait here, where it costs nothing. */
export const uploadsPerVolumeMax = 4
/** How often an upload whose source can be read again is begun anew. */
export const uploadRestartMax = 4

/** Bytes a download may be ahead of its reader. */
export const readAheadBytes = 131_072
/** The next read is asked for when so little of the last one is missing. */
export const readOverlapBytes = 8 * 224
/** Reads at once for one download: the running one, the next, and one for a hole. */
export const readsPerDownloadMax = 3
/** A read's tag is not used again for so long: a late frame does not name its object. */
export const tagRestMs = 2_000
/** How often a download starts over because its file was replaced before anything was delivered. */
export const downloadRestartMax = 4

/** Pages of one directory; far beyond what a volume holds. */
export const directoryPagesMax = 1_000_000
