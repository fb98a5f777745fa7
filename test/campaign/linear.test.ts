// The checker of histories itself: what is right it lets pass, and it finds each kind of wrong.

import assert from "node:assert/strict"
import { checkLinearizable, type Action, type Operation, type Outcome } from "../../tools/campaign/linear"
import { Random } from "../../tools/sim/random"

/** `[from, to, action, outcome]`, one client each. */
type Row = [number, number, Action, Outcome?]

function history(...rows: Row[]): Operation[] {
    return rows.map(([calledAt, returnedAt, action, outcome = "done"], index) => ({
        client: `c${index}`,
        calledAt,
        returnedAt,
        action,
        outcome,
    }))
}

const put = (name: string, value: string): Action => ({ kind: "put", name, value })
const read = (name: string, value?: string, snapshot?: string): Action => ({ kind: "read", name, value, snapshot })
const rename = (name: string, to: string): Action => ({ kind: "rename", name, to })
const remove = (name: string): Action => ({ kind: "remove", name })
const snapshot = (name: string): Action => ({ kind: "snapshot", name })

const good: Record<string, Operation[]> = {
    nothing: [],
    "one after the other": history(
        [0, 1, put("f", "1")],
        [2, 3, read("f", "1")],
        [4, 5, rename("f", "g")],
        [6, 7, read("f")],
        [8, 9, read("g", "1")],
        [10, 11, { kind: "list", names: ["g"] }],
        [12, 13, remove("g")],
        [14, 15, remove("g"), "refused"],
    ),
    "two at once, in either order": history([0, 9, put("f", "1")], [0, 9, put("f", "2")], [10, 11, read("f", "1")]),
    "a read beside a write sees the old or the new": history(
        [0, 1, put("f", "1")],
        [2, 9, put("f", "2")],
        [3, 4, read("f", "1")],
        [5, 6, read("f", "2")],
    ),
    "unknown, and done late": history(
        [0, 99, put("f", "1"), "unknown"],
        [2, 3, read("f")],
        [4, 5, read("f", "1")],
        [6, 7, read("f", "1")],
    ),
    "unknown, done in time, and nobody looks until long after": history(
        [0, 9, put("f", "1"), "unknown"],
        [50, 51, read("g")],
        [52, 53, read("f", "1")],
    ),
    "unknown, and never done": history([0, Infinity, put("f", "1"), "unknown"], [2, 3, read("f")], [90, 91, read("f")]),
    "a snapshot keeps what was": history(
        [0, 1, put("f", "1")],
        [2, 3, snapshot("s")],
        [4, 5, put("f", "2")],
        [6, 7, read("f", "1", "s")],
        [8, 9, snapshot("s"), "refused"],
        [10, 11, { kind: "unsnapshot", name: "s" }],
        [12, 13, { kind: "snapshots", names: [] }],
        [14, 15, read("f", undefined, "s")],
    ),
}

const bad: Record<string, Operation[]> = {
    "an acknowledged write is lost": history([0, 1, put("f", "1")], [2, 3, read("f")]),
    "an acknowledged write is undone": history([0, 1, put("f", "1")], [2, 3, put("f", "2")], [4, 5, read("f", "1")]),
    "a rename is done twice": history(
        [0, 1, put("f", "1")],
        [2, 3, rename("f", "g")],
        [4, 5, put("f", "2")],
        [6, 7, put("g", "3")],
        [8, 9, read("g", "2")],
    ),
    "an unknown write is done twice": history(
        [0, 99, put("f", "1"), "unknown"],
        [2, 3, read("f", "1")],
        [4, 5, put("f", "2")],
        [6, 7, read("f", "1")],
    ),
    "an unknown write is done after all have given it up": history(
        [0, 9, put("f", "1"), "unknown"],
        [10, 11, read("f")],
        [12, 13, read("f", "1")],
    ),
    "a removed file comes back": history([0, 1, put("f", "1")], [2, 3, remove("f")], [4, 5, read("f", "1")]),
    "contents nobody wrote": history([0, 1, put("f", "1")], [2, 3, read("f", "7")]),
    "a read goes back in time": history(
        [0, 1, put("f", "1")],
        [2, 9, put("f", "2")],
        [3, 4, read("f", "2")],
        [5, 6, read("f", "1")],
    ),
    "a rename is half done": history([0, 1, put("f", "1")], [2, 3, rename("f", "g")], [4, 5, read("f", "1")]),
    "across names: the later is seen, the earlier is not": history(
        [0, 1, put("f", "1")],
        [2, 3, put("g", "2")],
        [1.5, 9, { kind: "list", names: ["g"] }],
    ),
    "a snapshot shows what came after it": history(
        [0, 1, put("f", "1")],
        [2, 3, snapshot("s")],
        [4, 5, put("f", "2")],
        [6, 7, read("f", "2", "s")],
    ),
    "a name is refused that is there": history([0, 1, put("f", "1")], [2, 3, remove("f"), "refused"]),
    "a snapshot is lost": history([0, 1, snapshot("s")], [2, 3, { kind: "snapshots", names: [] }]),
}

describe("linearizability checker", () => {
    for (const [name, operations] of Object.entries(good))
        it(`right: ${name} [R21]`, () => assert.deepEqual(checkLinearizable(operations), { ok: true }))

    for (const [name, operations] of Object.entries(bad))
        it(`wrong: ${name} [R21]`, () => {
            const verdict = checkLinearizable(operations)
            assert.equal(verdict.ok, false)
            assert.match(verdict.ok ? "" : verdict.reason, /no order explains/)
        })

    it("5,000 random right histories pass; with one answer changed to contents never there none does [R21]", () => {
        const random = new Random("histories")
        for (let n = 0; n < 5_000; n++) {
            const operations = randomHistory(random.fork(`${n}`))
            const verdict = checkLinearizable(operations)
            assert.ok(verdict.ok, `history ${n}: ${verdict.ok ? "" : verdict.reason}`)
            const reads = operations.filter(({ action }) => action.kind === "read")
            if (reads.length === 0) continue
            const one = reads[random.int(reads.length)]
            const index = operations.indexOf(one)
            const changed = [...operations]
            changed[index] = { ...one, action: { ...one.action, value: "never" } as Action }
            assert.equal(checkLinearizable(changed).ok, false, `history ${n}, changed`)
        }
    })

    it("a search that grows beyond its bound says so, and is not taken for right", () => {
        const rows: Row[] = []
        for (let i = 0; i < 12; i++) rows.push([0, 100, put("f", `${i}`)])
        const verdict = checkLinearizable(history(...rows, [200, 201, read("f", "never")]), 500)
        assert.match(verdict.ok ? "" : verdict.reason, /no order found in 500 states/)
    })
})

/** What three clients see of a volume that is right: each operation happens at one instant between its call and its return. */
function randomHistory(random: Random): Operation[] {
    const operations: Operation[] = []
    const files = new Map<string, string>()
    const clientsFree = [0, 0, 0]
    let value = 0
    for (let at = 1; at <= 24; at++) {
        const client = random.int(3)
        const calledAt = Math.max(clientsFree[client], at - random.float() * 3)
        const returnedAt = at + random.float() * 3
        if (calledAt >= at) continue
        clientsFree[client] = returnedAt
        const name = "fg"[random.int(2)]
        const isKnown = files.has(name)
        let action: Action
        let outcome: Outcome = "done"
        switch (random.int(5)) {
            case 0:
            case 1:
                action = put(name, `${++value}`)
                if (random.chance(0.2)) outcome = "unknown"
                if (outcome === "done" || random.chance(0.5)) files.set(name, `${value}`)
                break
            case 2:
                action = remove(name)
                if (!isKnown) outcome = "refused"
                files.delete(name)
                break
            case 3: {
                const to = name === "f" ? "g" : "f"
                action = rename(name, to)
                if (!isKnown) outcome = "refused"
                else {
                    files.set(to, files.get(name)!)
                    files.delete(name)
                }
                break
            }
            default:
                action = read(name, files.get(name))
        }
        const until = outcome === "unknown" ? Infinity : returnedAt
        operations.push({ client: `c${client}`, calledAt, returnedAt: until, action, outcome })
    }
    return operations
}
