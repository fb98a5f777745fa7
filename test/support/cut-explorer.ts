// Cuts the power of a recorded run at every instant asked for: before, within and right after each program and erase. After each the
// chips are mounted, checked and compared with what the host knew at that instant; then the host finishes what it had begun.
//
// CUT=<stage>/<operation>/<fraction>[/<second operation>/<fraction>] replays one, as a failure names it.

import { uploadOf } from "../../src/store/volume"
import { takenBytes } from "../../src/store/upload"
import assert from "node:assert/strict"
import { PageChecks, type ProblemCode } from "../../tools/check"
import { Random } from "../../tools/sim/random"
import { checkBench, differenceOf } from "./cut-compare"
import { CutHost, opSnapshot, type Instant, type Known } from "./cut-host"
import { Timeline, type Cut, type Moment } from "./flash-timeline"
import { StoreBench } from "./store-bench"
import { checkVolume } from "./store-checker"

export interface Recording {
    name: string
    bench: StoreBench
    instants: Instant[]
    timeline: Timeline
}

/** Runs `work` and writes down what the chips and the host see. Nothing may run on the chips when it begins. */
export async function record(name: string, host: CutHost, work: (host: CutHost) => Promise<void>): Promise<Recording> {
    const { bench } = host
    bench.nowNs += 2e9
    for (const chip of bench.chips) chip.isBusy(bench.nowNs)
    const timeline = new Timeline(bench)
    host.instants = []
    await host.work(() => work(host))
    bench.onBegun = undefined
    return { name, bench, instants: host.instants, timeline }
}

export interface Choice {
    moment: Moment
    fraction: number
}

export interface ExploreOptions {
    /** Cuts of this run; all, at the beginning, within and at the end of each operation, when it is left out. */
    sample?: number
    /** Second cuts for each first one, within the mount that follows: all of them, or so many; 0 = none. */
    second?: number
    /** What may be degraded after the mount. */
    degraded?: readonly ProblemCode[]
    /** Only second ones: the first are another run's. */
    isSecondOnly?: boolean
    /** Done on every n-th of the volumes after the cut, such as a repair to its end. */
    afterwards?: (host: CutHost) => Promise<void>
    afterwardsEvery?: number
    /** What may be degraded after that. */
    degradedAfterwards?: readonly ProblemCode[]
    /** Before the mount the chips are checked on every n-th. */
    checkedBeforeEvery?: number
}

export interface Tally {
    cuts: number
    second: number
    /** Of those under way when the power went, how many requests were found done, and not done. */
    done: number
    undone: number
}

/** As text and back it is the same. */
const rounded = (fraction: number) => Math.round(fraction * 10_000) / 10_000

/** One in the middle of each operation comes from the seed: it decides at which byte a page is torn. */
export function choicesOf(moments: readonly Moment[], random: Random, sample = Infinity): Choice[] {
    const choices: Choice[] = []
    for (const moment of moments) {
        const within = rounded(0.02 + 0.96 * random.float())
        for (const fraction of [0, within, 1]) choices.push({ moment, fraction })
    }
    if (sample < choices.length) {
        for (let i = 0; i < sample; i++) {
            const k = i + random.int(choices.length - i)
            ;[choices[i], choices[k]] = [choices[k], choices[i]]
        }
        choices.length = sample
    }
    return choices.sort((one, other) => instantOf(one) - instantOf(other))
}

export function instantOf({ moment: { startNs, endNs }, fraction }: Choice): number {
    return startNs + Math.floor((endNs - startNs) * fraction)
}

/** CUT, if it is for this run. */
function replayed(
    name: string,
): { operation: number; fraction: number; second?: [number, number] } | undefined | "none" {
    const text = process.env.CUT
    if (!text) return undefined
    const parts = text.split("/")
    if (parts[0] !== name.split(" ")[0]) return "none"
    const [operation, fraction, ...second] = parts.slice(1).map(Number)
    return { operation, fraction, second: second.length ? [second[0], second[1]] : undefined }
}

export class Explorer {
    readonly tally: Tally = { cuts: 0, second: 0, done: 0, undone: 0 }
    private readonly pageChecks = new PageChecks()
    private ms = 0

    constructor(readonly seed: string) {}

    describe(): string {
        const { cuts, second, done, undone } = this.tally
        const rate = Math.round((1000 * (cuts + second)) / Math.max(1, this.ms))
        return `${cuts + second} power cuts (${second} of them second ones), ${rate}/s; requests under way: ${done} done, ${undone} not; seed ${this.seed}`
    }

    async explore(recording: Recording, options: ExploreOptions = {}): Promise<void> {
        const started = performance.now()
        const { name, timeline } = recording
        const replay = replayed(name)
        if (replay === "none") return
        const random = new Random(`${this.seed} ${name}`)
        let choices = choicesOf(timeline.moments, random, options.sample)
        if (replay) choices = [{ moment: timeline.moments[replay.operation], fraction: replay.fraction }]
        let at = 0
        let instant = 0
        for (const cut of timeline.at(choices.map(instantOf))) {
            const { moment, fraction } = choices[at++]
            const label = `${name.split(" ")[0]}/${moment.index}/${fraction}`
            while (recording.instants[instant + 1]?.atNs <= cut.ns) instant++
            const known = recording.instants[instant]
            await this.told(label, async () => {
                const isChosen = (every: number | undefined) => every !== undefined && at % every === 0
                if (!replay?.second && !options.isSecondOnly)
                    await this.afterCut(recording, cut, known, label, {
                        ...options,
                        afterwards: replay || isChosen(options.afterwardsEvery ?? 1) ? options.afterwards : undefined,
                        checkedBeforeEvery: replay || isChosen(options.checkedBeforeEvery) ? 1 : undefined,
                    })
                if (options.second || replay?.second)
                    await this.secondCuts(recording, cut, known, label, options, replay ? replay.second : undefined)
            })
        }
        this.ms += performance.now() - started
    }

    private async told(label: string, work: () => Promise<void>): Promise<void> {
        try {
            await work()
        } catch (error) {
            if (error instanceof Error && !error.message.includes(" CUT="))
                error.message += ` (replay with CUT=${label}, seed ${this.seed})`
            throw error
        }
    }

    private fork(recording: Recording, cut: Cut, silent: number, label: string): StoreBench {
        const { part, segmentRows } = recording.bench
        const images = cut.images()
        const bench = new StoreBench(part, segmentRows, label, images.length, images, cut.ns + 1e9)
        bench.silent = silent
        cut.tear(bench.chips)
        return bench
    }

    private async afterCut(
        recording: Recording,
        cut: Cut,
        known: Instant,
        label: string,
        options: ExploreOptions,
    ): Promise<void> {
        this.tally.cuts++
        const bench = this.fork(recording, cut, known.silent, label)
        if (options.checkedBeforeEvery) {
            const anyDegraded: ProblemCode[] = ["label-bad", "anchor-copy", "element-missing", "element-out"]
            const report = checkBench(bench, this.pageChecks, [...anyDegraded, ...(options.degraded ?? [])])
            const difference = differenceOf(report, known)
            if (difference !== undefined) {
                assert.ok(known.pending?.after, difference)
                assert.equal(differenceOf(report, known.pending.after), undefined, `half done (${difference})`)
            }
        }
        // as often as not the host goes on at once
        bench.isIdleAfterMount = () => bench.random.fork("tidies").chance(0.5)
        assert.equal(await bench.mount(), true, "mount")
        await this.finish(bench, known, options)
    }

    /** A mounted volume against what the host knew; then what was under way is done. */
    private async finish(bench: StoreBench, known: Instant, options: ExploreOptions): Promise<void> {
        const report = checkBench(bench, this.pageChecks, options.degraded)
        const { pending } = known
        const difference = differenceOf(report, known)
        if (difference !== undefined) {
            assert.ok(pending?.after, difference)
            assert.equal(differenceOf(report, pending.after), undefined, `half done (${difference})`)
        }
        checkVolume(bench)
        for (const [object, upload] of report.uploads)
            assert.equal(
                takenBytes(uploadOf(bench.volume, object)),
                upload.size,
                `upload ${object} as the volume holds it`,
            )
        const host = new CutHost(bench)
        host.take(known)
        let now: Known = known
        if (pending) {
            if (difference === undefined) this.tally.undone++
            else this.tally.done++
            now = pending.after!
            host.client.sequence++
            const answer = await host.client.again(pending.op, ...pending.args)
            // a snapshot made after the cut is numbered by a later commit
            const isNumbered = pending.op === opSnapshot && difference === undefined
            if (isNumbered) assert.equal(answer.status, pending.answer!.status, "the retry's status")
            else assert.deepEqual(answer, pending.answer, "the retry's answer")
            host.take(now)
        } else if (await this.goOn(host)) now = host.known()
        else if (!options.afterwards) return
        if (options.afterwards) await options.afterwards(host)
        await bench.tidyAfterMount()
        const last = checkBench(
            bench,
            this.pageChecks,
            options.afterwards ? options.degradedAfterwards : options.degraded,
        )
        assert.equal(differenceOf(last, options.afterwards ? host.known() : now), undefined, "in the end")
        checkVolume(bench)
    }

    /** Sends what the uploads lack. @returns whether there was anything */
    private async goOn(host: CutHost): Promise<boolean> {
        let sent = false
        for (const [object, upload] of host.uploads)
            if (upload.acknowledged < upload.sent.length) sent = (await host.write(object, Buffer.alloc(0))) || sent
        return sent
    }

    /** The same, with what the mount has told by then: progress of uploads goes out before a mount has ended. */
    private withTold(
        known: Instant,
        told: readonly { ns: number; object: number; durable: number }[],
        ns: number,
    ): Instant {
        const more = <T extends Known>(from: T): T => {
            const uploads = new Map([...from.uploads].map(([object, upload]) => [object, { ...upload }]))
            for (const each of told) {
                const upload = each.ns <= ns ? uploads.get(each.object) : undefined
                if (upload) upload.acknowledged = Math.max(upload.acknowledged, each.durable)
            }
            return { ...from, uploads }
        }
        const then = more(known)
        if (then.pending?.after) then.pending = { ...then.pending, after: more(then.pending.after) }
        return then
    }

    /** The mount after the cut is a run like any other. */
    private async secondCuts(
        recording: Recording,
        cut: Cut,
        known: Instant,
        label: string,
        options: ExploreOptions,
        only: [number, number] | undefined,
    ): Promise<void> {
        const bench = this.fork(recording, cut, known.silent, label)
        bench.nowNs += 1e9
        const timeline = new Timeline(bench)
        const told: { ns: number; object: number; durable: number }[] = []
        bench.onTold = (ns, object, durable) => told.push({ ns, object, durable })
        assert.equal(await bench.mount(), true, "mount")
        bench.onTold = undefined
        const { moments } = timeline
        const random = new Random(`${this.seed} ${label}`)
        const choices = only
            ? [{ moment: moments[only[0]], fraction: only[1] }]
            : choicesOf(moments, random, options.second)
        let at = 0
        for (const second of timeline.at(choices.map(instantOf))) {
            const { moment, fraction } = choices[at++]
            const name = `${label}/${moment.index}/${fraction}`
            await this.told(name, async () => {
                this.tally.second++
                const knownThen = this.withTold(known, told, second.ns)
                const again = this.fork({ ...recording, bench }, second, known.silent, name)
                assert.equal(await again.mount(), true, "mount")
                await this.finish(again, knownThen, { degraded: options.degraded })
            })
        }
    }
}
