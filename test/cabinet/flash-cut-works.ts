// What a pair is in the middle of when its power is cut: each piece of work is begun by a host that sees it through, however often the boards start.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { source, type SimSession } from "../../tools/sim/session"
import { loadFilled } from "./filled"

const mtime = 1_700_000_000
const chip = "W25Q16JV"
const lookMs = 200
const looksMax = 300

type Files = Map<string, Buffer>

export interface FlashCutWork {
    /** Before the boards start. @returns the files of volume a then */
    prepare?(session: SimSession, elements: number): Promise<Files>
    /** @returns the files that it wrote and that are there in the end */
    run(session: SimSession): Promise<Files>
    /** Of all files, those that are read through the pair as well; the check tool reads all. */
    looksAt?: string[]
    /** Erases without which it did not do what it is for. */
    erasesMin?: number
}

/** Directories, files written and written over, renamed, renamed over, removed. */
export const changes: FlashCutWork = {
    async run({ client, random }) {
        const one = Buffer.from(random.bytes(700))
        const two = Buffer.from(random.bytes(300))
        await client.mkdir(0, "d", { mtime })
        await client.put(0, "d/f", source(one), { mtime })
        await client.put(0, "d/f", source(two), { mtime })
        await client.rename(0, "d/f", "g", { mtime })
        await client.put(0, "h", source(one), { mtime })
        await client.rename(0, "h", "g", { mtime, replace: true })
        await client.remove(0, "d", { mtime })
        return new Map([["g", one]])
    },
}

/** Made, read from behind files that were written over, and deleted, so that what they held is given back. */
export const snapshots: FlashCutWork = {
    async run(session) {
        const { client, random } = session
        const [old, now] = [700, 900].map(bytes => Buffer.from(random.bytes(bytes)))
        await client.put(0, "f", source(old), { mtime })
        await client.createSnapshot(0, "s", { mtime })
        await client.put(0, "f", source(now), { mtime })
        await client.createSnapshot(0, "t", { mtime })
        await client.remove(0, "f", { mtime })
        assert.ok((await session.readAll(0, ".snapshots/s/f")).equals(old))
        assert.ok((await session.readAll(0, ".snapshots/t/f")).equals(now))
        await client.deleteSnapshot(0, "s")
        assert.ok((await session.readAll(0, ".snapshots/t/f")).equals(now))
        await client.deleteSnapshot(0, "t")
        await client.put(0, "g", source(old), { mtime })
        return new Map([["g", old]])
    },
}

const filledFiles = 165
const filledBytes = 7_000

/** Files written over on a volume that is nearly full: each takes the space of a segment that is emptied for it. */
export const cleaning: FlashCutWork = {
    looksAt: ["file 0", "file 1", "file 100"],
    // a segment of 256 rows is 4 blocks of 64 KB at most
    erasesMin: 8,
    prepare: (session, elements) =>
        loadFilled(session, { node: "a", chip, elements, files: filledFiles, fileBytes: filledBytes }),
    async run({ client }) {
        const written: Files = new Map()
        const random = new Random("cleaning")
        for (let i = 0; i < 8; i++) {
            const content = Buffer.from(random.bytes(filledBytes))
            await client.put(0, `file ${i}`, source(content), { mtime })
            written.set(`file ${i}`, content)
        }
        return written
    },
}

/** An element is exchanged for a blank one and filled while files are written. */
export const rebuilding: FlashCutWork = {
    async run(session) {
        const { client, random, simulation } = session
        const written: Files = new Map()
        const put = async (name: string) => {
            const content = Buffer.from(random.bytes(2_000))
            await client.put(0, name, source(content), { mtime })
            written.set(name, content)
        }
        await put("f")
        simulation.cabinet.replace("a:1", simulation.nowNs)
        let isNoticed = false
        for (let looks = 0; ; looks++) {
            assert.ok(looks < looksMax, "the rebuild has not come to an end")
            const { members, joining } = await client.array(0)
            const isMember = members.includes(1)
            if (isMember && isNoticed) break
            if (!isMember) isNoticed = true
            // also when it was cut before it was recorded
            if (!isMember && joining === undefined)
                await client.rebuild(0, { position: 1, slot: 1 }).catch(() => undefined)
            await session.sleep(lookMs)
            if (looks % 4 === 0 && looks < 16) await put(`g${looks}`)
        }
        return written
    },
}
