// The answer to a change is lost, and eight other hosts push its session out before it is asked for again: what the client makes of it, with
// and without another client's change in between. What cannot be told from one's own is not taken for it, nor undone by asking again.

import assert from "node:assert/strict"
import { TwinfilerClient } from "../../tools/bridge/client"
import { isError } from "../../tools/bridge/error"
import type { RequestBody } from "../../tools/bridge/protocol/commands"
import type { RequestOp } from "../../tools/bridge/protocol/numbers"
import { bench, bytes, stream } from "./bench"
import type { FakeVolume } from "./fake-volume"
import { loseOnce } from "./lose-once"

const mtime = 1_700_000_000
const theirs = 1_600_000_000
interface Case {
    title: string
    op: RequestOp
    ask: (client: TwinfilerClient) => Promise<unknown>
    lost: "request" | "reply"
    others?: (volume: FakeVolume) => void
    end: "done" | "unknownOutcome"
    /** How it is in the end. */
    is: (volume: FakeVolume) => unknown
    wanted: unknown
}

function entryOf(volume: FakeVolume, path: string) {
    let directory = 1
    for (const name of path.split("/").slice(0, -1))
        directory = [...volume.objects.get(directory)!.entries.values()].find(one => one.name === name)!.object
    const name = path.split("/").at(-1)
    for (const [key, entry] of volume.objects.get(directory)!.entries)
        if (entry.name === name) return { directory, key, object: entry.object }
    return undefined
}

const objectAt = (volume: FakeVolume, path: string) => volume.objects.get(entryOf(volume, path)!.object)!
const mtimeOf = (volume: FakeVolume) => objectAt(volume, "file").attributes.mtime
const titleOf = (volume: FakeVolume) => objectAt(volume, "file").properties.get("title")?.toString()
const names = (volume: FakeVolume) => [...volume.objects.get(1)!.entries.values()].map(({ name }) => name).sort()

/** What another client's requests do. */
const act = (body: (volume: FakeVolume) => RequestBody) => (volume: FakeVolume) =>
    assert.equal(volume.execute(body(volume)).status, "ok")
const setsTime = act(volume => ({ op: "setattr", object: entryOf(volume, "file")!.object, mtime: theirs }))
const setsTitle = act(volume => {
    const { object } = entryOf(volume, "file")!
    return { op: "setProperty", object, mtime: 0, property: Buffer.from("title"), value: Buffer.from("theirs") }
})
const removes = act(volume => ({ op: "remove", ...entryOf(volume, "file")!, mtime: theirs }))
const movesBack = act(volume => {
    return { op: "rename", ...entryOf(volume, "moved")!, newDirectory: 1, mtime: theirs, flags: 0, name: "file" }
})
const stops = act(() => ({ op: "scrub", rowsPerSecond: 0 }))
const dropsSnapshot = act(volume => ({ op: "snapshotDelete", number: [...volume.snapshots.keys()][0] }))

const setMtime = {
    op: "setattr",
    ask: client => client.setMtime(0, "file", { mtime }),
    is: mtimeOf,
} as const satisfies Partial<Case>
const setTitle = {
    op: "setProperty",
    ask: client => client.setProperty(0, "file", "title", "ours", { mtime }),
    is: titleOf,
} as const satisfies Partial<Case>
const remove = {
    op: "remove",
    ask: client => client.remove(0, "file", { mtime }),
    is: names,
} as const satisfies Partial<Case>
const rename = {
    op: "rename",
    ask: client => client.rename(0, "file", "moved", { mtime }),
    is: names,
} as const satisfies Partial<Case>
const scrub = { op: "scrub", is: (volume: FakeVolume) => volume.array.scrubRate } as const
const start = { ...scrub, ask: client => client.scrub(0, 7) } as const satisfies Partial<Case>
const stop = { ...scrub, ask: client => client.scrub(0, 0) } as const satisfies Partial<Case>
const drop = {
    op: "snapshotDelete",
    ask: client => client.deleteSnapshot(0, "monday"),
    is: (volume: FakeVolume) => volume.snapshots.size,
} as const satisfies Partial<Case>

const cases: Case[] = [
    { title: "a time was set", ...setMtime, lost: "reply", end: "done", wanted: mtime },
    { title: "a time was not set", ...setMtime, lost: "request", end: "done", wanted: mtime },
    {
        title: "a time was set, and another one since",
        ...setMtime,
        lost: "reply",
        others: setsTime,
        end: "unknownOutcome",
        wanted: theirs,
    },
    { title: "a property was set", ...setTitle, lost: "reply", end: "done", wanted: "ours" },
    { title: "a property was not set", ...setTitle, lost: "request", end: "done", wanted: "ours" },
    {
        title: "a property was set, and anew since",
        ...setTitle,
        lost: "reply",
        others: setsTitle,
        end: "unknownOutcome",
        wanted: "theirs",
    },
    { title: "a file was removed", ...remove, lost: "reply", end: "unknownOutcome", wanted: [] },
    { title: "a file was not removed", ...remove, lost: "request", end: "done", wanted: [] },
    {
        title: "another client removed a file",
        ...remove,
        lost: "request",
        others: removes,
        end: "unknownOutcome",
        wanted: [],
    },
    { title: "a file was moved", ...rename, lost: "reply", end: "done", wanted: ["moved"] },
    { title: "a file was not moved", ...rename, lost: "request", end: "done", wanted: ["moved"] },
    {
        title: "a file was moved, and back since",
        ...rename,
        lost: "reply",
        others: movesBack,
        end: "unknownOutcome",
        wanted: ["file"],
    },
    {
        title: "a scrub was begun, and stopped since",
        ...start,
        lost: "reply",
        others: stops,
        end: "unknownOutcome",
        wanted: 0,
    },
    { title: "a scrub was stopped", ...stop, lost: "reply", end: "done", wanted: 0 },
    { title: "a snapshot was not deleted", ...drop, lost: "request", end: "done", wanted: 0 },
    {
        title: "another client deleted a snapshot",
        ...drop,
        lost: "request",
        others: dropsSnapshot,
        end: "unknownOutcome",
        wanted: 0,
    },
]

describe("client: a session forgotten while an outcome is unknown", () => {
    for (const { title, op, ask, lost, others, end, is, wanted } of cases)
        it(`${title}: ${end === "done" ? "done" : "told as unknown, and left as it is"} [R21]`, async () => {
            const { clock, cabinet, client } = await bench()
            const [volume] = cabinet.volumes
            await clock.drive(client.put(0, "file", stream(bytes(500)), { mtime: 1 }))
            if (op === "snapshotDelete") await clock.drive(client.createSnapshot(0, "monday", { mtime }))
            loseOnce(cabinet, op, lost, () => others?.(volume))
            const code = await clock.drive(ask(client)).then(
                () => "done",
                (error: unknown) => (isError(error) ? error.code : String(error)),
            )
            assert.equal(code, end)
            assert.deepEqual(is(volume), wanted)
        })
})
