// A campaign: many seeds over several processes. Which process runs a seed makes no difference to it.

import { fork, type ChildProcess } from "node:child_process"
import { fileURLToPath } from "node:url"
import { projectRoot } from "../sim/devs-cli"
import type { FaultKind } from "./faults"
import type { SeedResult } from "./seed-run"
import type { Task } from "./worker"

const repeatEvery = 25
const workerFile = fileURLToPath(new URL("./worker.ts", import.meta.url))

export interface CampaignOptions {
    seeds: number
    from: number
    jobs: number
    faults?: FaultKind[]
    pairs?: number
    beyond?: boolean
    imageFile?: string
    /** Ends after so many seeds with violations. */
    failuresMax?: number
    signal?: AbortSignal
    onSeed?(result: SeedResult, sofar: CampaignResult): void
}

export interface CampaignResult {
    /** Those that were run. */
    seeds: number
    firstSeed: number
    /** Seeds with violations. */
    violations: number
    operations: number
    takeovers: number
    givebacks: number
    virtualHours: number
    failed: SeedResult[]
    wallMs: number
}

export async function runCampaign(options: CampaignOptions): Promise<CampaignResult> {
    const { from, seeds, jobs, signal } = options
    const result: CampaignResult = {
        seeds: 0,
        firstSeed: from,
        violations: 0,
        operations: 0,
        takeovers: 0,
        givebacks: 0,
        virtualHours: 0,
        failed: [],
        wallMs: 0,
    }
    const startMs = performance.now()
    let next = from
    const isEnded = () =>
        signal?.aborted === true || next >= from + seeds || result.violations >= (options.failuresMax ?? Infinity)
    const take = (one: SeedResult) => {
        result.seeds++
        result.operations += one.operations
        result.takeovers += one.takeovers
        result.givebacks += one.givebacks
        result.virtualHours += one.virtualMs / 3_600_000
        result.wallMs = performance.now() - startMs
        if (one.violations.length > 0) {
            result.violations++
            result.failed.push(one)
        }
        options.onSeed?.(one, result)
    }
    const work = async () => {
        const worker = new Worker()
        const stop = () => worker.end()
        signal?.addEventListener("abort", stop)
        try {
            while (!isEnded()) {
                const seed = next++
                const { faults, pairs, beyond, imageFile } = options
                const isRepeated = seed % repeatEvery === 0
                const one = await worker.run({ seed, faults, pairs, beyond, imageFile, isRepeated })
                if (signal?.aborted !== true) take(one)
            }
        } finally {
            signal?.removeEventListener("abort", stop)
            worker.end()
        }
    }
    await Promise.all(Array.from({ length: Math.min(jobs, seeds) }, work))
    return result
}

/** One process; one that dies is replaced for the next seed, and the seed has failed. */
class Worker {
    private process: ChildProcess | undefined

    run(task: Task): Promise<SeedResult> {
        const process = (this.process ??= fork(workerFile, { execArgv: ["--import=tsx"], cwd: projectRoot }))
        return new Promise(resolve => {
            const settle = (result: SeedResult) => {
                process.removeAllListeners("message")
                process.removeAllListeners("exit")
                resolve(result)
            }
            process.on("message", (message: { result?: SeedResult; error?: string }) =>
                settle(message.result ?? failure(task.seed, message.error ?? "nothing")),
            )
            process.on("exit", code => {
                this.process = undefined
                settle(failure(task.seed, `its process ended with code ${code}`))
            })
            process.send(task)
        })
    }

    end(): void {
        this.process?.kill("SIGKILL")
    }
}

function failure(seed: number, what: string): SeedResult {
    const nothing = { operations: 0, takeovers: 0, givebacks: 0, virtualMs: 0, healthyMs: 0, hash: "", faults: [] }
    return { seed, violations: [what], ...nothing }
}
