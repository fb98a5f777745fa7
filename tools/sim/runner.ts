// Runs a simulation against the wall clock for the clients of its gateway. The only place where virtual and real time meet.

import { noFaults } from "./chips/element"
import { Pace, type PaceMode } from "./pace"
import type { Simulation } from "./simulation"

/** How much virtual time passes between two looks at the sockets. */
const sliceNs = 2_000_000
/** Longest sleep while nothing is due: a client's frame ends it at once all the same. */
const sleepMsMax = 50
/** With nobody attached a cabinet at full pace would only burn a core; it runs at real time then. */
const unattendedMode: PaceMode = "real"

export class Runner {
    private readonly pace: { attended: Pace; unattended: Pace }
    private clients = 0
    private stopped = false
    private wakeUp: (() => void) | undefined

    constructor(
        private readonly simulation: Simulation,
        mode: PaceMode,
        private readonly wallMs: () => number,
    ) {
        const now = wallMs()
        this.pace = {
            attended: new Pace({ mode }, now, simulation.nowNs),
            unattended: new Pace({ mode: unattendedMode }, now, simulation.nowNs),
        }
    }

    /** For the gateway's `onFrame`. */
    clientFrame(): void {
        this.pace.attended.clientFrame(this.wallMs(), this.simulation.nowNs)
        this.wake()
    }

    /** For the gateway's `onClients`. */
    clientsChanged(count: number): void {
        this.clients = count
        this.pace.attended.clientsChanged(count, this.wallMs(), this.simulation.nowNs)
        this.wake()
    }

    stop(): void {
        this.stopped = true
        this.wake()
    }

    /** Runs until `stop`. Throws the violation that ended the simulation, if one did. */
    async run(): Promise<void> {
        const { queue } = this.simulation
        while (!this.stopped) {
            const pace = this.clients > 0 ? this.pace.attended : this.pace.unattended
            const limitNs = pace.limitNs(this.wallMs(), queue.nowNs)
            if (limitNs > queue.nowNs) queue.runUntil(Math.min(limitNs, queue.nowNs + sliceNs))
            const waitMs = pace.waitMs(this.wallMs(), queue.nowNs, queue.peekNs()) ?? sleepMsMax
            await this.rest(Math.min(waitMs, sleepMsMax))
        }
    }

    private rest(ms: number): Promise<void> {
        return new Promise(resolve => {
            if (ms <= 0) {
                setImmediate(resolve)
                return
            }
            const timer = setTimeout(resolve, ms)
            this.wakeUp = () => {
                clearTimeout(timer)
                resolve()
            }
        })
    }

    private wake(): void {
        this.wakeUp?.()
        this.wakeUp = undefined
    }
}

/** What `/control` understands. */
export function controlOf(simulation: Simulation): (request: Record<string, unknown>) => unknown {
    return request => {
        const { cabinet } = simulation
        if (typeof request.power === "string") {
            if (!cabinet.nodeNames.includes(request.power))
                throw new Error(`no such node: ${request.power}. There are ${cabinet.nodeNames.join(", ")}`)
            if (typeof request.on !== "boolean") throw new Error('give "on": true or false')
            simulation.power(request.power, request.on)
            return { ok: true }
        }
        if (typeof request.element === "string") return elementControl(simulation, request.element, request)
        if (request.status)
            return {
                ok: true,
                virtualMs: simulation.nowNs / 1e6,
                seed: simulation.options.seed,
                nodes: cabinet.nodeNames.map(name => ({
                    name,
                    state: cabinet.nodeState(name),
                    controller: cabinet.controller(name),
                    own: cabinet.line(name, "OWN"),
                    hold: cabinet.line(name, "HOLD"),
                })),
                elements: cabinet.elements(),
            }
        throw new Error(
            'send {"power": NODE, "on": true|false}, {"element": "a:1", "do": ACTION} or {"status": true}; ' +
                `an action is one of ${elementActions.join(", ")}`,
        )
    }
}

const elementActions = ["silent", "lies", "drops", "busy", "healthy", "pull", "insert", "replace"] as const

/** Faults of one element while everything runs: switched on, and all off by `healthy`; or the element itself taken out or exchanged. */
function elementControl(simulation: Simulation, name: string, request: Record<string, unknown>): { ok: true } {
    const { cabinet, nowNs } = simulation
    const action = elementActions.find(known => known === request.do)
    const part = typeof request.chip === "string" ? request.chip : undefined
    switch (action) {
        case undefined:
            throw new Error(`give "do": one of ${elementActions.join(", ")}`)
        case "pull":
            cabinet.pull(name, nowNs)
            break
        case "insert":
            cabinet.insert(name, request.blank === true ? "blank" : "kept", nowNs, part)
            break
        case "replace":
            cabinet.replace(name, nowNs, part)
            break
        default: {
            const { faults } = cabinet.element(name)
            if (action === "healthy") Object.assign(faults, noFaults())
            else if (action === "silent") faults.silent = true
            else if (action === "busy") faults.staysBusy = true
            else faults[action === "lies" ? "lies" : "dropsWrites"] = chanceOf(request.chance)
        }
    }
    return { ok: true }
}

function chanceOf(value: unknown): number {
    if (value === undefined) return 1
    if (typeof value !== "number" || !(value >= 0 && value <= 1)) throw new Error('give "chance": a number from 0 to 1')
    return value
}
