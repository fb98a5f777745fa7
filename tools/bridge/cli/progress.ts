/** A progress bar on standard error; a stand-in that shows nothing when no person looks. */
import { Presets, SingleBar } from "cli-progress"
import type { Context } from "./context"

export interface Progress {
    /** Bytes so far. */
    at(bytes: number): void
    stop(): void
}

export function startProgress(context: Context, label: string, totalBytes: number | undefined): Progress {
    const { world, options } = context
    if (!world.isTerminal || options.quiet || options.json) return { at: () => undefined, stop: () => undefined }
    const bar = new SingleBar(
        {
            stream: world.stderr as NodeJS.WriteStream,
            format:
                totalBytes === undefined ? `${label} {value} bytes` : `${label} {bar} {percentage}% {eta_formatted}`,
            clearOnComplete: true,
            hideCursor: true,
            fps: 5,
        },
        Presets.shades_classic,
    )
    bar.start(totalBytes ?? 0, 0)
    return {
        at: bytes => bar.update(bytes),
        stop: () => bar.stop(),
    }
}
