// The table "Line and bus faults" of docs/PROTOCOL.md: each row is a test, with the flashed image on a simulated cabinet, once with the fault at
// either node. What is acknowledged must be there afterwards, to the byte; the simulator and the watch on the wire report two controllers
// and broken promises by themselves.

import assert from "node:assert/strict"
import { Random } from "../../tools/sim/random"
import { roles, SimSession, source } from "../../tools/sim/session"
import { otherNode, showRow, usualMs, type Fault, type Shown } from "./line-row"
import { underLoad } from "./under-load"

/** Mended, a pair that has not changed is well at its next beats. */
const soonMs = 1_000
/** The partner has waited since the fault: 10 s in all, then a mount. */
const givebackMs = 13_000
/** Mended under a node that was off or in reset: it starts, waits for 10 s, and mounts. */
const restartMs = 17_000
/** A contact that opens about three times a second, for longer than a label takes to be read. */
const contactUs = 5_000
const contactEveryMs = 333
const contacts = 60
/** Detection, fence, mount and the client's own waits. */
const lateMs = 4_000

interface Row {
    name: string
    fault: Fault
    /** Of the node with the fault, and of its partner. */
    roles: [string, string]
    served: boolean
    changes: boolean
    healthyMs: number
}

const keeps = { roles: ["active", "active"], served: true, changes: false, healthyMs: soonMs } as const
const partnerServes = { roles: ["waiting", "takenOver"], served: true, changes: true, healthyMs: givebackMs } as const
const nodeServes = { roles: ["takenOver", "waiting"], served: true, changes: true, healthyMs: givebackMs } as const

function line(
    name: string,
    line: "OWN" | "HOLD" | "RESET",
    way: "high" | "low" | "cut" | "glitch",
    shown: object,
): Row {
    return { name, fault: { node: "a", line, way }, ...(shown as Omit<Row, "name" | "fault">) }
}

const lineRows: Row[] = [
    line("OWN stuck high: both go on", "OWN", "high", keeps),
    line("OWN stuck low: its array goes to the partner", "OWN", "low", partnerServes),
    {
        name: "OWN low for 150 ms: the partner takes over and gives back",
        fault: { node: "a", line: "OWN", way: "glitch", us: 150_000 },
        ...partnerServes,
    } as Row,
    line("OWN cut: the partner fences the node and takes over", "OWN", "cut", partnerServes),
    line("HOLD stuck high: the partner lets go, the node takes over", "HOLD", "high", nodeServes),
    line("HOLD stuck low: both go on", "HOLD", "low", keeps),
    line("HOLD cut: both go on", "HOLD", "cut", keeps),
    line("RESET stuck high: both go on", "RESET", "high", keeps),
    line("RESET stuck low: the partner is held in reset, the node takes over", "RESET", "low", {
        ...nodeServes,
        roles: ["takenOver", "silent"],
        healthyMs: restartMs,
    }),
    line(
        "RESET with a glitch: the partner starts anew, the node takes over and gives back",
        "RESET",
        "glitch",
        nodeServes,
    ),
    line("RESET cut: both go on", "RESET", "cut", keeps),
]

const busRows: Row[] = [
    {
        name: "the node is cut off, the host is on the partner's side: the partner takes over",
        fault: { bus: [["b", "host"], ["a"]] },
        ...partnerServes,
        roles: ["silent", "takenOver"],
        healthyMs: restartMs,
    } as Row,
    {
        name: "the host is off: both go on, and no command comes",
        fault: { bus: [["a", "b"], ["host"]] },
        roles: ["silent", "silent"],
        served: false,
        changes: false,
        healthyMs: lateMs,
    },
    {
        name: "all are cut: both go on, neither takes over, and no command comes",
        fault: { bus: [["host"], ["a"], ["b"]] },
        roles: ["silent", "silent"],
        served: false,
        changes: false,
        healthyMs: lateMs,
    },
]

/** No line and no cut: one direction, time, or a program. */
const otherRows: Row[] = [
    {
        name: "the node does not hear its partner, and is heard: it fences it and takes over",
        fault: { deaf: "a" },
        ...nodeServes,
    } as Row,
    // silence is 400 ms without a beat; they are sent each 100 ms, and up to 60 ms later while a node computes
    { name: "every packet up to 240 ms late: both go on", fault: { lateMs: 240 }, ...keeps } as Row,
    { name: "the node's program stands still for 250 ms: both go on", fault: { stops: "a", ms: 250 }, ...keeps } as Row,
    {
        name: "the node's program stands still: the partner fences it and takes over",
        fault: { stops: "a" },
        ...partnerServes,
    } as Row,
]

function holds(row: Row, node: "a" | "b", shown: Shown): void {
    const [own, other] = row.roles
    const told = JSON.stringify(shown)
    assert.equal(shown.roles, node === "a" ? `${own} ${other}` : `${other} ${own}`, told)
    assert.equal(shown.served, row.served ? "ab" : "", told)
    assert.equal(shown.takeovers, row.changes ? 1 : 0, told)
    assert.ok(shown.healthyMs <= row.healthyMs, `healthy after ${shown.healthyMs} ms; ${told}`)
    if (row.served) assert.ok(shown.slowestMs < lateMs, `an operation took ${shown.slowestMs} ms; ${told}`)
}

describe("cabinet: line and bus faults, by the table", function () {
    this.timeout(120_000)
    for (const [title, rows] of [
        ["line", lineRows],
        ["bus", busRows],
        ["other", otherRows],
    ] as const)
        for (const [i, row] of rows.entries())
            it(`${title}: ${row.name} [R31]`, async () => {
                const seed = { line: 4_100, bus: 4_200, other: 4_500 }[title] + i
                holds(row, "a", await showRow(seed, row.fault))
                holds(row, "b", await showRow(seed + 50, otherNode(row.fault)))
            })

    it("bus: a host on either side of the cut: one node takes over for its host, the other waits [R31]", async () => {
        for (const bus of [
            [
                ["a", "host"],
                ["b", "second"],
            ],
            [
                ["b", "host"],
                ["a", "second"],
            ],
        ]) {
            const shown = await showRow(4_600, { bus })
            const told = JSON.stringify(shown)
            assert.equal(shown.takeovers, 1, told)
            const heard = shown.roles.split(" ").filter(role => role !== "silent")
            assert.deepEqual(heard, [shown.served === "ab" ? "takenOver" : "waiting"], told)
            assert.ok(shown.served === "ab" || shown.served === "", told)
            assert.ok(shown.healthyMs <= givebackMs, told)
        }
    })

    // 15 ms: a program that looks each 10 ms, but less often while it computes, sees it twice, once or not at all, which decides what becomes of it
    for (const name of ["OWN", "HOLD"] as const)
        it(`line: ${name} with a glitch: the volume changes hands or does not; both are served [R31]`, async () => {
            for (const [i, node] of (["a", "b"] as const).entries()) {
                const shown = await showRow(4_300 + i, { node, line: name, way: "glitch" })
                const told = JSON.stringify(shown)
                assert.equal(shown.served, "ab", told)
                assert.ok(shown.takeovers <= 1, told)
                assert.ok(shown.healthyMs <= givebackMs, told)
                assert.ok(shown.slowestMs < lateMs, told)
            }
        })

    for (const seed of [1, 2, 3])
        it(`a bad contact of OWN while nothing is written, seed ${seed}: no element is given up for it [R31 R25]`, async () => {
            const session = new SimSession({ seed, chip: "W25Q16JV" })
            const { client, simulation } = session
            await session.run(async () => {
                await session.healthy()
                await client.put(0, "f", source(new Random("contact").bytes(5_000)), { mtime: 1_700_000_000 })
                await session.sleep(3_000)
                let isOver = false
                const asks = (async () => {
                    while (!isOver) {
                        await client.statfs(0)
                        await session.sleep(100)
                    }
                })()
                for (let i = 0; i < contacts; i++) {
                    simulation.glitchLine("a", "OWN", contactUs)
                    await session.sleep(contactEveryMs + i)
                    await client.statfs(0)
                }
                isOver = true
                await asks
                await session.sleep(givebackMs)
                for (const volume of [0, 1]) assert.deepEqual((await client.array(volume)).members, [0, 1])
                await client.close()
            })
            await session.bus.close()
        })

    it("a second fault: OWN stuck high, and the node loses power: its volume is away until it is back, the other is served [R31]", async () => {
        const shown = await showRow(4_406, { node: "a", line: "OWN", way: "high" }, usualMs, "a")
        assert.equal(shown.servedThen, "b")
        assert.equal(shown.takeovers, 0)
        assert.equal(shown.roles, "active active")
    })

    for (const [i, [line, way]] of (
        [
            ["HOLD", "low"],
            ["HOLD", "cut"],
            ["RESET", "high"],
            ["RESET", "cut"],
        ] as const
    ).entries())
        it(`a second fault: ${line} ${way === "cut" ? "cut" : `stuck ${way}`}, and the partner loses power: the node serves both [R31]`, async () => {
            const shown = await showRow(4_407 + i, { node: "a", line, way }, usualMs, "b")
            assert.equal(shown.servedThen, "ab")
            assert.equal(shown.takeovers, 1)
            // a partner that starts and does not see HOLD has its array back at once
            assert.equal(shown.roles, line === "HOLD" ? "active active" : "takenOver waiting")
        })

    it("a second fault: HOLD cut, and the partner loses power again and again: its array leaves the node in mid-transfer, and no operation fails [R5 R9 R31]", async () => {
        for (const seed of [4_420, 4_421, 4_422]) {
            const random = new Random(`leaves ${seed}`)
            const { watch } = await underLoad(seed, async ({ session }) => {
                const { simulation } = session
                simulation.cabinet.faultLine("a", "HOLD", "cut", simulation.nowNs)
                for (let fall = 0; fall < 8; fall++) {
                    session.power("b", false)
                    await session.sleep(300 + 1_000 * random.float())
                    session.power("b", true)
                    await session.until("b serves its own again", () => session.roleOf(1) === roles.active)
                    await session.sleep(500 * random.float())
                }
                simulation.cabinet.faultLine("a", "HOLD", undefined, simulation.nowNs)
                await session.sleep(12_000)
            })
            assert.ok(watch.takeovers >= 4, `${watch.takeovers} takeovers`)
        }
    })
})
