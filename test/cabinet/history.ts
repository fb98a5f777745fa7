// A client's history on one volume beside a reference in memory: what must be there when every operation was answered, and what may be
// there of the one that was not. Shared by the tests of whole pairs.

import assert from "node:assert/strict"
import type { Random } from "../../tools/sim/random"
import { sha256, sourceOnce, type SimSession } from "../../tools/sim/session"

const mtime = 1_700_000_000

export class History {
    /** Contents by path; undefined = a directory. */
    readonly files = new Map<string, Buffer | undefined>()
    /** Operations answered so far. */
    answered = 0
    private made = 0

    constructor(
        private readonly session: SimSession,
        private readonly random: Random,
        private readonly volume = 0,
        private readonly bytesMax = 3_000,
    ) {}

    /** One random operation; resolves when it is answered. A file is sent once: an upload that is lost is an error. */
    async step(): Promise<void> {
        const { client } = this.session
        const { random, files, volume } = this
        const paths = [...files.keys()].filter(path => files.get(path) !== undefined)
        const some = () => paths[random.int(paths.length)]
        const kind = paths.length < 2 ? 0 : random.int(6)
        if (kind <= 1) {
            const path = this.newPath()
            const bytes = this.contents()
            await client.put(volume, path, sourceOnce(bytes), { mtime, replace: false })
            files.set(path, bytes)
        } else if (kind === 2) {
            const path = some()
            const bytes = this.contents()
            await client.put(volume, path, sourceOnce(bytes), { mtime })
            files.set(path, bytes)
        } else if (kind === 3) {
            const from = some()
            const to = random.chance(0.5) ? some() : this.newPath()
            await client.rename(volume, from, to, { mtime, replace: true })
            const bytes = files.get(from)
            files.delete(from)
            files.set(to, bytes)
        } else if (kind === 4) {
            const path = some()
            await client.remove(volume, path, { mtime })
            files.delete(path)
        } else {
            const path = `d${this.made++}`
            await client.mkdir(volume, path, { mtime })
            files.set(path, undefined)
        }
        this.answered++
    }

    private newPath(): string {
        const directories = [...this.files.keys()].filter(path => this.files.get(path) === undefined)
        const name = `f${this.made++}`
        return directories.length > 0 && this.random.chance(0.5)
            ? `${directories[this.random.int(directories.length)]}/${name}`
            : name
    }

    private contents(): Buffer {
        const sizes = [0, 1, 224, 236, 448, this.random.int(this.bytesMax)]
        return Buffer.from(this.random.bytes(sizes[this.random.int(sizes.length)]))
    }

    /** Everything that was answered is there, and nothing else. */
    async check(where: string): Promise<void> {
        const found = new Map<string, string>()
        await this.walk("", found)
        const wanted = new Map(
            [...this.files].map(([path, bytes]) => [path, bytes === undefined ? "directory" : sha256(bytes)]),
        )
        assert.deepEqual([...found.keys()].sort(), [...wanted.keys()].sort(), `${where}: names`)
        for (const [path, what] of wanted) assert.equal(found.get(path), what, `${where}: ${path}`)
    }

    private async walk(directory: string, found: Map<string, string>): Promise<void> {
        for await (const entry of this.session.client.list(this.volume, directory)) {
            const path = directory === "" ? entry.name : `${directory}/${entry.name}`
            if (entry.type === "directory") {
                found.set(path, "directory")
                await this.walk(path, found)
            } else found.set(path, sha256(await this.session.readAll(this.volume, path)))
        }
    }
}
