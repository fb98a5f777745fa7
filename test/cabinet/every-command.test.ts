// Every file command on either array by either node: each volume served at home, then by the partner; mirror and parity. What one node did
// the other reads.

import assert from "node:assert/strict"
import { TwinfilerClient } from "../../tools/bridge/client"
import { encodeQuery } from "../../tools/bridge/protocol/commands"
import { decodeNotice, type Answer, type Reply } from "../../tools/bridge/protocol/notices"
import {
    commandCodes,
    noticeKinds,
    queryOps,
    requestOps,
    statusNames,
    volumeLetter,
    type QueryOp,
} from "../../tools/bridge/protocol/numbers"
import { roles, SimSession, source } from "../../tools/sim/session"

const mtime = 1_700_000_000
const rebuildMsMax = 60_000
/** Queries that a volume's controller answers. */
const volumeQueries: QueryOp[] = ["lookup", "getattr", "readdir", "statfs", "array", "snapshots", "properties"]

/** Who did not ask cannot check an answer. */
function answerHead(frame: Uint8Array): Pick<Answer, "op" | "status"> {
    const op = Object.entries(queryOps).find(([, code]) => code === frame[5])
    assert.ok(op)
    return { op: op[0] as QueryOp, status: statusNames[frame[8]] }
}

class Heard {
    readonly requests = new Set<string>()
    readonly queries = new Set<string>()
    reads = 0
    readonly others: string[] = []

    constructor(
        { bus }: SimSession,
        private readonly volume: number,
        private readonly by: number,
    ) {
        bus.onNotice((node, kind, frame) => {
            if (frame[4] !== volume) return
            if (kind === noticeKinds.reply) this.note(node, this.requests, decodeNotice(kind, frame) as Reply)
            else if (kind === noticeKinds.answer) this.note(node, this.queries, answerHead(frame))
            else if (kind === noticeKinds.data && node === by) this.reads++
        })
    }

    private note(node: number, ops: Set<string>, { op, status }: Pick<Reply | Answer, "op" | "status">): void {
        if (status !== "ok") return
        if (node === this.by) ops.add(op)
        else this.others.push(`${op} by node ${volumeLetter(node)}`)
    }

    check(): void {
        const where = `volume ${volumeLetter(this.volume)} by node ${volumeLetter(this.by)}`
        assert.deepEqual([...this.requests].sort(), Object.keys(requestOps).sort(), where)
        for (const op of volumeQueries) assert.ok(op in queryOps && this.queries.has(op), `${where}: ${op}`)
        assert.ok(this.reads > 0, where)
        assert.deepEqual(this.others, [], where)
    }
}

/** All commands there are, on one volume; leaves one file. */
async function everything(session: SimSession, volume: number, round: string): Promise<Buffer> {
    const { host, bus, random } = session
    const draw = random.fork(`${volume} ${round}`)
    const client = new TwinfilerClient(bus, { clock: host.clock, random: () => draw.uint32(), timeoutMs: 60_000 })
    await client.ready()
    const bytes = Buffer.from(draw.bytes(5_000))
    const at = { mtime }
    await client.mkdir(volume, `d ${round}`, at)
    await client.put(volume, "f", source(bytes), at)
    await client.setMtime(volume, "f", { mtime: mtime + 5 })
    await client.setProperty(volume, "f", "colour", "green", at)
    assert.equal((await client.propertiesOf(volume, "f")).plain.get("colour"), "green")
    await client.createSnapshot(volume, "s", at)
    const broken = async function* () {
        yield bytes
        throw new Error("the source breaks off")
    }
    await assert.rejects(client.put(volume, "g", broken, at), /breaks off/)
    await client.rename(volume, "f", `d ${round}/f`, at)
    const names: string[] = []
    for await (const { name } of client.list(volume, `d ${round}`)) names.push(name)
    assert.deepEqual(names, ["f"])
    assert.ok((await session.readAll(volume, ".snapshots/s/f")).equals(bytes))
    assert.equal((await client.snapshots(volume)).length, 1)
    await client.deleteSnapshot(volume, "s")
    await client.put(volume, "gone", source(bytes), at)
    await client.remove(volume, "gone", at)
    assert.ok((await client.statfs(volume)).bytesFree > 0)
    const { object } = await client.stat(volume, `d ${round}/f`)
    // the client asks this only when it does not know what became of a request
    const query = encodeQuery({ volume, epoch: 0, tag: 0xfff0 }, { op: "getattr", object })
    bus.send(client.controllerOf(volume)!, commandCodes.query, query)
    await client.rebuild(volume, { position: 1, slot: 1, replace: true, force: true })
    const isWhole = async () => {
        const { members, elements, joining } = await client.array(volume)
        return joining === undefined && members.length === elements
    }
    const end = session.nowMs() + rebuildMsMax
    while (!(await isWhole())) {
        assert.ok(session.nowMs() < end, "the array is not whole")
        await session.sleep(100)
    }
    await client.scrub(volume, 4_000)
    await client.close()
    return bytes
}

describe("cabinet: every file command on either array by either node", function () {
    this.timeout(120_000)
    for (const elements of [2, 3])
        it(`${elements} elements: at home and at the partner; each reads what the other did [R2] [R5] [R7]`, async () => {
            const session = new SimSession({ seed: 2_200 + elements, chip: "W25Q16JV", elements })
            const { client } = session
            await session.run(async () => {
                await session.healthy()
                const atHome: Buffer[] = []
                for (const taker of [undefined, 0, 1]) {
                    const written: Buffer[] = []
                    if (taker !== undefined) {
                        await client.takeover(taker)
                        await session.until("it waits", () => session.roleOf(taker ^ 1) === roles.waiting)
                    }
                    for (const volume of [0, 1]) {
                        const by = taker ?? volume
                        const heard = new Heard(session, volume, by)
                        const round = `${taker ?? "home"}`
                        written[volume] = await everything(session, volume, round)
                        heard.check()
                        if (taker === undefined) atHome[volume] = written[volume]
                        else assert.ok((await session.readAll(volume, "d home/f")).equals(atHome[volume]))
                    }
                    if (taker === undefined) continue
                    await client.giveback(taker)
                    await session.healthy()
                    for (const volume of [0, 1])
                        assert.ok((await session.readAll(volume, `d ${taker}/f`)).equals(written[volume]))
                }
                await client.close()
            })
            await session.bus.close()
            assert.deepEqual(session.simulation.panics, [])
        })
})
