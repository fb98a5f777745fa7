/** Waiting for what a node does on an array: it only looks, so that Ctrl-C leaves the work running. */
import { sleep } from "../bus/clock"
import { isError, TwinfilerError } from "../error"
import type { ArrayFigures } from "../protocol/array-figures"
import { volumeLetter } from "../protocol/numbers"
import type { Context } from "./context"
import { startProgress, type Progress } from "./progress"

const pollMs = 1_000

/** Looks each second, with a progress bar, until `doneOf` says undefined. Ctrl-C leaves what is watched running, and says so. */
export async function watch(
    context: Context,
    volume: number,
    label: string,
    goesOn: string,
    doneOf: (array: ArrayFigures) => number | undefined,
): Promise<ArrayFigures> {
    const { signal, clock } = context.world
    let progress: Progress | undefined
    try {
        for (;;) {
            const array = await context.client.array(volume, context.call)
            const done = doneOf(array)
            if (done === undefined) return array
            progress ??= startProgress(context, label, array.segments)
            progress.at(done)
            await sleep(clock, pollMs)
            if (signal.aborted) throw new TwinfilerError("aborted", `${label}: stopped waiting`)
        }
    } catch (error) {
        progress?.stop()
        progress = undefined
        if (isError(error, "aborted"))
            context.note(`${goesOn}; \`twinfiler array show ${volumeLetter(volume)}\` shows how far it is`)
        throw error
    } finally {
        progress?.stop()
    }
}

/**
 * Has all of an array read once, and waits. Throws `ioError` when that was stopped, or broken off because the volume was mounted anew, as by a
 * takeover: what the node that serves it now has counted is another scrub's.
 */
export async function scrubThrough(
    context: Context,
    volume: number,
    rowsPerSecond: number,
    goesOn: string,
): Promise<{ badPages: number; repaired: number; array: ArrayFigures }> {
    const { client, call } = context
    const letter = volumeLetter(volume)
    const { epoch } = await client.statfs(volume, call)
    const { scrub: before } = await client.array(volume, call)
    await client.scrub(volume, rowsPerSecond, call)
    const array = await watch(context, volume, `scrub ${letter}`, goesOn, ({ scrub }) =>
        scrub.running && scrub.passes === before.passes ? scrub.segment : undefined,
    )
    const failed = (why: string) => new TwinfilerError("ioError", `volume ${letter}: the scrub was ${why}`)
    if ((await client.statfs(volume, call)).epoch !== epoch)
        throw failed("broken off, as the volume was mounted anew (a takeover, or a fault): ask for it again")
    if (array.scrub.passes === before.passes) throw failed("stopped before all was read")
    const { badPages, repaired } = array.scrub
    return { badPages: badPages - before.badPages, repaired: repaired - before.repaired, array }
}
