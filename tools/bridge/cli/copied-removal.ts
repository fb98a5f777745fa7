/**
 * The second half of a move between volumes: what was copied is removed at its source, from the leaves up, and nothing else. What another
 * client stored or changed there meanwhile stays, with the directories above it.
 */
import { showPath } from "../client"
import { isError } from "../error"
import type { Context } from "./context"
import type { RemoteSource } from "./transfers"

export class CopiedRemoval {
    private readonly stayed = new Set<string>()
    private next = 0

    /** @param sources each directory before what is in it, with the attributes it had before it was copied */
    constructor(
        private readonly context: Context,
        private readonly sources: readonly RemoteSource[],
    ) {}

    /** @returns the paths of what stays */
    async run(): Promise<string[]> {
        while (this.next < this.sources.length) await this.removeNext()
        return [...this.stayed]
    }

    /** The next source, with all in it. */
    private async removeNext(): Promise<void> {
        const source = this.sources[this.next++]
        const { object, change, type } = source.entry
        const text = pathOf(source)
        if (type === "file") {
            if (!(await this.remove(source, { object, change }))) this.stayed.add(text)
            return
        }
        // looked at before the removals in it, which change it, too
        const isAsCopied = await this.isAsCopied(source)
        const depth = source.at.names.length
        while (this.sources[this.next]?.at.names.length > depth) await this.removeNext()
        if (isAsCopied && (await this.remove(source, { object }))) return
        await this.nameWhatCame(source)
        // by itself only when nothing in it is named: its properties or its time are others, or what came has gone again
        if (!this.isAbove(text)) this.stayed.add(text)
    }

    /** True when it is gone, whoever removed it. */
    private async remove({ at }: RemoteSource, only: { object: number; change?: number }): Promise<boolean> {
        const { client, change, call } = this.context
        const path = at.names.join("/")
        try {
            await client.remove(at.volume, path, { ...change, ...only })
            return true
        } catch (error) {
            if (isError(error, "notFound", "notDirectory")) return true
            if (isError(error, "unknownOutcome"))
                return (await client.find(at.volume, path, call))?.object !== only.object
            if (!isError(error, "replaced", "notEmpty", "stale")) throw error
            return false
        }
    }

    private async isAsCopied({ at, entry }: RemoteSource): Promise<boolean> {
        const found = await this.context.client.find(at.volume, at.names.join("/"), this.context.call)
        return found === undefined || (found.object === entry.object && found.change === entry.change)
    }

    private async nameWhatCame({ at }: RemoteSource): Promise<void> {
        try {
            for await (const { name } of this.context.client.list(at.volume, at.names.join("/"), this.context.call)) {
                const text = showPath(at.volume, [...at.names, name])
                if (!this.isAbove(text)) this.stayed.add(text)
            }
        } catch (error) {
            if (!isError(error, "notFound", "notDirectory")) throw error
        }
    }

    /** Whether something that is named lies in it. */
    private isAbove(text: string): boolean {
        return [...this.stayed].some(path => path.startsWith(`${text}/`))
    }
}

function pathOf({ at }: RemoteSource): string {
    return showPath(at.volume, at.names)
}
