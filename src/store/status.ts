// Answers of the store and of the protocol, docs/PROTOCOL.md "Status". What the world can do wrong is an answer, not an exception.

export const ok = 0
export const notFound = 1
export const exists = 2
export const notDirectory = 3
export const isDirectory = 4
export const notEmpty = 5
export const noSpace = 6
export const badName = 7
export const badRequest = 8
export const wrongEpoch = 9
export const notController = 10
export const noSession = 11
export const noUpload = 12
export const busy = 13
export const ioError = 14
export const checksum = 15
export const tooLarge = 16
export const stale = 17
export const vetoed = 18
/** The element belongs to another array. */
export const foreign = 19
export const tooSmall = 20

/** Whether a request was turned away: its sequence is not used up, and it may still be executed. */
export function isRefusal(status: number): boolean {
    return status >= wrongEpoch && status <= noSession
}
