// Whether a history of one volume is linearizable: whether there is an order of its operations, each between its call and its return,
// in which every answer is the one a single correct volume would give. The search is Wing and Gong's with Lowe's memory of states seen
// ("Testing for linearizability", 2017). Contents are unique, so a lost, repeated or half-done change shows as an answer no order explains.

/** A volume as its clients see it: contents by name, in the volume itself ("") and in each snapshot. */
type State = ReadonlyMap<string, ReadonlyMap<string, string>>

export type Action =
    | { kind: "put"; name: string; value: string }
    | { kind: "rename"; name: string; to: string }
    | { kind: "remove"; name: string }
    /** `value` undefined: there was none of that name. In `snapshot`, when there is one. */
    | { kind: "read"; name: string; snapshot?: string; value?: string }
    /** All names that were there. */
    | { kind: "list"; names: readonly string[] }
    | { kind: "snapshot"; name: string }
    | { kind: "unsnapshot"; name: string }
    | { kind: "snapshots"; names: readonly string[] }

/**
 * done: it was answered as done; refused: it was answered that what it names is not there (or, of a snapshot, is there already), and
 * changed nothing; unknown: nobody answered, it may be done once before `returnedAt`, which may be later than anything, or never.
 */
export type Outcome = "done" | "refused" | "unknown"

export interface Operation {
    client: string
    /** Times on one scale; equal means together. */
    calledAt: number
    returnedAt: number
    action: Action
    outcome: Outcome
}

export type Verdict = { ok: true } | { ok: false; reason: string }

/** Beyond so many states the search gives up; a history of a campaign needs some thousands. */
const statesMax = 1_000_000

export function checkLinearizable(operations: readonly Operation[], statesLimit = statesMax): Verdict {
    const search = new Search(operations, statesLimit)
    return search.run()
}

class Search {
    private readonly operations: readonly Operation[]
    private readonly done: boolean[]
    private readonly seen = new Set<string>()
    private readonly certain: number
    /** The longest order found, for the message. */
    private deepest = 0
    private stuckAt: readonly number[] = []

    constructor(
        operations: readonly Operation[],
        private readonly statesLimit: number,
    ) {
        // what nobody answered and cannot be seen is no part of the history
        this.operations = operations
            .filter(({ action, outcome }) => outcome !== "unknown" || changes(action))
            .sort((one, other) => one.calledAt - other.calledAt)
        this.done = this.operations.map(() => false)
        this.certain = this.operations.filter(({ outcome }) => outcome !== "unknown").length
    }

    run(): Verdict {
        const found = this.step(new Map([["", new Map()]]), 0, -Infinity)
        if (found) return { ok: true }
        if (this.seen.size >= this.statesLimit)
            return { ok: false, reason: `no order found in ${this.statesLimit} states` }
        const stuck = this.stuckAt.map(index => describe(this.operations[index])).join("; ")
        return {
            ok: false,
            reason: `no order explains the answers: ${this.deepest} of ${this.certain} do, then none of: ${stuck}`,
        }
    }

    /** Tries every operation that may come next. `placed` counts those with an answer. */
    private step(state: State, placed: number, reached: number): boolean {
        if (placed === this.certain) return true
        const key = `${this.done.map(Number).join("")} ${textOf(state)}`
        if (this.seen.has(key) || this.seen.size >= this.statesLimit) return false
        this.seen.add(key)
        const next = this.candidates(reached)
        // one that changes nothing and fits now can be placed at once: nothing is lost by it, unless it is too late then for what is unknown
        const expires = Math.min(
            ...next.map(index =>
                this.operations[index].outcome === "unknown" ? this.operations[index].returnedAt : Infinity,
            ),
        )
        for (const index of next) {
            const { action, outcome, calledAt } = this.operations[index]
            if (calledAt > expires) continue
            if ((outcome === "refused" || !changes(action)) && apply(state, action, outcome))
                return this.place(index, state, placed, reached)
        }
        for (const index of next) {
            const { action, outcome } = this.operations[index]
            const after = apply(state, action, outcome)
            if (after && this.place(index, after, placed, reached)) return true
        }
        if (placed >= this.deepest) {
            this.deepest = placed
            this.stuckAt = next
        }
        return false
    }

    private place(index: number, after: State, placed: number, reached: number): boolean {
        const { outcome, calledAt } = this.operations[index]
        this.done[index] = true
        const found = this.step(after, placed + (outcome === "unknown" ? 0 : 1), Math.max(reached, calledAt))
        this.done[index] = false
        return found
    }

    /** Those that no operation left over precedes, and that precede none of those placed: the last was called at `reached`. */
    private candidates(reached: number): number[] {
        let firstReturn = Infinity
        for (const [index, { returnedAt, outcome }] of this.operations.entries())
            if (!this.done[index] && outcome !== "unknown" && returnedAt < firstReturn) firstReturn = returnedAt
        const found: number[] = []
        for (const [index, { calledAt, returnedAt }] of this.operations.entries())
            if (!this.done[index] && calledAt <= firstReturn && returnedAt >= reached) found.push(index)
        return found
    }
}

function changes(action: Action): boolean {
    return !(action.kind === "read" || action.kind === "list" || action.kind === "snapshots")
}

/** The state after it; undefined when this answer cannot be given in this state, or (unknown) nothing would happen. */
function apply(state: State, action: Action, outcome: Outcome): State | undefined {
    const files = state.get("")!
    const refused = outcome === "refused"
    switch (action.kind) {
        case "put":
            return refused ? undefined : withFiles(state, "", new Map(files).set(action.name, action.value))
        case "remove":
        case "rename": {
            const value = files.get(action.name)
            if (value === undefined || refused) return value === undefined && refused ? state : undefined
            const after = new Map(files)
            after.delete(action.name)
            if (action.kind === "rename") after.set(action.to, value)
            return withFiles(state, "", after)
        }
        case "read": {
            const shown = action.snapshot === undefined ? files : state.get(snapshotKey(action.snapshot))
            return shown?.get(action.name) === action.value ? state : undefined
        }
        case "list":
            return isSame(files.keys(), action.names) ? state : undefined
        case "snapshot": {
            const key = snapshotKey(action.name)
            if (state.has(key) !== refused) return undefined
            return refused ? state : withFiles(state, key, files)
        }
        case "unsnapshot": {
            const key = snapshotKey(action.name)
            if (state.has(key) === refused) return undefined
            if (refused) return state
            const after = new Map(state)
            after.delete(key)
            return after
        }
        case "snapshots": {
            const names = [...state.keys()].filter(key => key !== "").map(key => key.slice(1))
            return isSame(names, action.names) ? state : undefined
        }
    }
}

const snapshotKey = (name: string) => `@${name}`

function withFiles(state: State, key: string, files: ReadonlyMap<string, string>): State {
    return new Map(state).set(key, files)
}

function isSame(one: Iterable<string>, other: Iterable<string>): boolean {
    return [...one].sort().join("\0") === [...other].sort().join("\0")
}

function textOf(state: State): string {
    const parts: string[] = []
    for (const key of [...state.keys()].sort()) {
        parts.push(key)
        const files = state.get(key)!
        for (const name of [...files.keys()].sort()) parts.push(`${name}=${files.get(name)}`)
    }
    return parts.join(",")
}

export function describe({ client, calledAt, returnedAt, action, outcome }: Operation): string {
    const { kind, ...rest } = action
    const what = Object.entries(rest)
        .map(([key, value]) => `${key} ${String(value)}`)
        .join(" ")
    return `${client} ${kind} ${what}: ${outcome} [${calledAt.toFixed(1)}, ${returnedAt.toFixed(1)}]`
}
