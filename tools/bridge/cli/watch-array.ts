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
