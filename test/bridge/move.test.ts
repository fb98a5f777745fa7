// `mv` between volumes while another client works at the source: what it was told is stored is on one of the two volumes afterwards.

import assert from "node:assert/strict"
import type { Command } from "../../tools/bridge/protocol/commands"
import { rootObject } from "../../tools/bridge/protocol/numbers"
import { CliBench } from "./cli-bench"
import type { FakeVolume } from "./fake-volume"
import { loseOnce } from "./lose-once"

type Request = Extract<Command, { kind: "request" }>
/** `Omit` of each member of a union. */
type Body<T> = T extends unknown ? Omit<T, "kind" | "volume" | "epoch" | "session" | "sequence" | "mtime"> : never

/** Another client of a volume: each request is executed at once. */
class OtherClient {
    private sequence = 0

    constructor(private readonly volume: FakeVolume) {
        this.ask({ op: "hello", challenge: volume.challenge })
    }

    ask(body: Body<Request>): number {
        const head = { kind: "request", volume: 0, epoch: 0, session: 99, sequence: ++this.sequence, mtime: 7 } as const
        const result = this.volume.request({ ...head, ...body } as Request)
        assert.equal(result?.status, "ok")
        return result.value
    }

    put(directory: number, name: string, text: string): void {
        const upload = this.ask({ op: "create" })
        this.volume.write(upload, 0, Buffer.from(text))
        this.ask({ op: "commit", upload, size: text.length, directory, name, flags: 1 })
    }

    remove(directory: number, name: string): void {
        const [key, { object }] = this.entry(directory, name)
        this.ask({ op: "remove", directory, key, object })
    }

    object(directory: number, name: string): number {
        return this.entry(directory, name)[1].object
    }

    private entry(directory: number, name: string) {
        return [...this.volume.objects.get(directory)!.entries].find(([, entry]) => entry.name === name)!
    }
}

describe("command line: mv between volumes beside another client", () => {
    let bench: CliBench
    let other: OtherClient
    beforeEach(async () => {
        bench = new CliBench()
        other = new OtherClient(bench.cabinet.volumes[0])
        assert.equal((await bench.run("mkdir", "-p", ":/a/d/sub")).exitCode, 0)
        for (const path of ["d/f", "d/sub/g", "h"]) {
            bench.input = Buffer.from(path)
            assert.equal((await bench.run("put", "-", `:/a/${path}`)).exitCode, 0)
        }
    })

    /** Does it once, as soon as `name` is stored on volume b. */
    const whenCopied = (name: string, act: () => void) => {
        bench.cabinet.executed = command => {
            if (command.kind !== "request" || command.volume !== 1 || command.op !== "commit") return
            if (command.name !== name) return
            bench.cabinet.executed = () => undefined
            act()
        }
    }
    const text = (volume: number, path: string) => bench.cabinet.volumes[volume].file(path)?.toString()
    const d = () => other.object(rootObject, "d")
    const sub = () => other.object(d(), "sub")

    it("nobody else: all is moved, nothing stays [R18]", async () => {
        const { exitCode, out } = await bench.run("mv", ":/a/d/", ":/b/", "--json")
        assert.equal(exitCode, 0)
        const told = JSON.parse(out) as { moved: unknown[]; stayed: string[] }
        assert.deepEqual([told.moved.length, told.stayed], [1, []])
        assert.deepEqual([text(1, "d/f"), text(1, "d/sub/g"), text(0, "d")], ["d/f", "d/sub/g", undefined])
    })

    it("a file that came while the directory was copied stays, is named, and the exit code says so [R18] [R22]", async () => {
        whenCopied("g", () => other.put(sub(), "late", "late"))
        const { exitCode, out, err } = await bench.run("mv", ":/a/d", ":/a/h", ":/b", "--json")
        assert.equal(exitCode, 1)
        assert.match(err, /left there: :\/a\/d\/sub\/late; all else is moved/)
        assert.deepEqual(JSON.parse(out), {
            ...{ outputVersion: 1, moved: [{ from: ":/a/h", to: ":/b/h" }], stayed: [":/a/d/sub/late"], exitCode: 1 },
        })
        assert.deepEqual([text(0, "d/sub/late"), text(0, "d/sub/g"), text(0, "d/f")], ["late", undefined, undefined])
        assert.deepEqual([text(1, "d/f"), text(1, "d/sub/g"), text(1, "h")], ["d/f", "d/sub/g", "h"])
    })

    it("a file that was replaced, or whose properties were set, after it was copied stays as it is [R18] [R22]", async () => {
        whenCopied("f", () => {
            other.put(d(), "f", "newer")
            const [property, value] = [Buffer.from("mood"), Buffer.from("good")]
            other.ask({ op: "setProperty", object: other.object(sub(), "g"), property, value })
        })
        const { exitCode, err } = await bench.run("mv", ":/a/d", ":/b/")
        assert.equal(exitCode, 1)
        assert.match(err, /left there: :\/a\/d\/f, :\/a\/d\/sub\/g;|left there: :\/a\/d\/sub\/g, :\/a\/d\/f;/)
        assert.deepEqual([text(0, "d/f"), text(0, "d/sub/g")], ["newer", "d/sub/g"])
    })

    it("the same of a file by itself; what another client has removed is no error [R18] [R22]", async () => {
        whenCopied("h", () => other.put(rootObject, "h", "newer"))
        const changed = await bench.run("mv", ":/a/h", ":/b/h")
        assert.equal(changed.exitCode, 1)
        assert.match(changed.err, /left there: :\/a\/h;/)
        assert.deepEqual([text(0, "h"), text(1, "h")], ["newer", "h"])
        whenCopied("h", () => other.remove(rootObject, "h"))
        assert.equal((await bench.run("mv", ":/a/h", ":/b/h")).exitCode, 0)
        assert.deepEqual([text(0, "h"), text(1, "h")], [undefined, "newer"])
    })

    it("it is not known who removed the source: gone is gone, and nothing stays [R18] [R21]", async () => {
        whenCopied("h", () => loseOnce(bench.cabinet, "remove", "reply"))
        const { exitCode, err } = await bench.run("mv", ":/a/h", ":/b/h")
        assert.equal(exitCode, 0, err)
        assert.deepEqual([text(0, "h"), text(1, "h")], [undefined, "h"])
    })

    it("a directory whose properties were set, or that was made, meanwhile stays [R18] [R22]", async () => {
        whenCopied("g", () => {
            const [property, value] = [Buffer.from("mood"), Buffer.from("good")]
            other.ask({ op: "setProperty", object: sub(), property, value })
            other.ask({ op: "mkdir", directory: d(), name: "new" })
        })
        const { exitCode, err } = await bench.run("mv", ":/a/d", ":/b/")
        assert.equal(exitCode, 1)
        assert.match(err, /:\/a\/d\/sub[,;]/)
        assert.match(err, /:\/a\/d\/new[,;]/)
        assert.equal((await bench.run("ls", ":/a/d", "--json")).out.match(/"name"/g)?.length, 2)
    })
})
