/** Whether a file fits, before it is sent: a volume that is too full is told of in seconds, not after minutes of upload. */
import { sleep } from "../bus/clock"
import { TwinfilerError } from "../error"
import type { Context } from "./context"
import type { RemotePath } from "./paths"

/** A smaller file is refused soon enough by the volume itself. */
const askedBytesMin = 65_536
/** What was removed is given back little by little while the node is idle. */
const lookMs = 500
const restingLooksMax = 4

/** Throws `noSpace` when `bytes` are more than are free, and no more become free by themselves. */
export async function checkRoom(context: Context, target: RemotePath, bytes: number): Promise<void> {
    if (bytes < askedBytesMin) return
    const { client, call, world } = context
    let most = -1
    for (let resting = 0; ; resting++) {
        const { bytesFree } = await client.statfs(target.volume, call)
        if (bytesFree >= bytes) return
        if (bytesFree > most) resting = 0
        most = Math.max(most, bytesFree)
        if (resting >= restingLooksMax)
            throw new TwinfilerError("noSpace", `${target.text}: needs ${bytes} bytes, ${bytesFree} are free`)
        await sleep(world.clock, lookMs)
    }
}
