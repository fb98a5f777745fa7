// What Control does with the role logic's decisions when the role changes while the worker is in the middle of something.

import assert from "node:assert/strict"
import "../support/device-buffer"
import * as role from "../../src/pair/role"
import { Control, askControl, recover } from "../../src/server/control"
import { NodeServer } from "../../src/server/node"
import { Worker, tickWorker } from "../../src/server/worker"
import { confirmTicks, letGoMsMax, silentMs, workerMsMax } from "../../src/config"
import { block, clockMs, request, setClock, useTestPlatform } from "./pair-support"
import { kindUpload, recordCommand } from "../../src/pair/journal"
import { getRecorded, setRecorded } from "../../src/server/copies"

const own = 1
const hold = 2

/** Node `a`, whose mounts end as `mounts` says, and which has the role it is given. */
function controlling(now: number) {
    useTestPlatform()
    setClock(10_000)
    const port = { transfer: async () => {} }
    const node = new NodeServer(0, port, port, { wait: async () => {}, notify: () => {} })
    const levels = { own: false, hold: false, reset: false }
    const lines = {
        read: () => 0,
        setOwn: (on: boolean): void => {
            levels.own = on
        },
        setHold: (on: boolean): void => {
            levels.hold = on
        },
        setPartnerReset: (on: boolean): void => {
            levels.reset = on
        },
        setClock: () => {},
        restart: () => {},
    }
    const control = new Control(node, lines)
    const worker = new Worker(node, control)
    control.worker = worker
    node.pair.role = now
    const outcomes: number[][] = []
    node.outbox.outcomes.push = frame => outcomes.push([frame[4], frame[5], frame[8], frame[9]])
    return { node, control, levels, worker, outcomes, pair: node.pair }
}

type Setup = ReturnType<typeof controlling>

function tick(setup: Setup, lines: number, afterMs = 10): void {
    setClock(clockMs + afterMs)
    setup.control.event(role.evTick, lines)
}

/** `a` takes over and is about to mount; `mounts` is what its mount does meanwhile. */
function takingOver(mounts: () => boolean): Setup {
    const setup = controlling(role.active)
    const { node, pair, control } = setup
    pair.home = node.home.serving = true
    control.event(role.evPartner, role.active)
    control.event(role.evTakeover, 0)
    tick(setup, 0)
    node.other.volume.mount = async () => mounts()
    assert.deepEqual(control.jobs, [role.doMountPartner])
    return setup
}

describe("control: changes of role while the worker works", () => {
    let log: typeof console.log
    before(() => {
        log = console.log
    })
    afterEach(() => {
        console.log = log
    })
    const quietly = () => (console.log = () => {})

    for (const when of ["before the mount begins", "while the home volume mounts"])
        it(`HOLD rises ${when}: no transfer is cut off by OWN; the node lets go when it has mounted [R5] [R31]`, async () => {
            const setup = controlling(role.booting)
            const { node, pair, control, levels } = setup
            let mounts = 0
            const rises = () => tick(setup, own + hold)
            node.home.volume.mount = async () => {
                if (when.startsWith("while")) rises()
                assert.ok(levels.own)
                return ++mounts > 0
            }
            tick(setup, 0)
            tick(setup, own)
            assert.deepEqual(control.jobs, [role.doMountHome])
            if (when.startsWith("before")) rises()
            await control.work()
            assert.deepEqual([mounts, pair.role, levels.own], [1, role.active, true])
            tick(setup, own + hold)
            assert.equal(pair.role, role.lettingGo)
            node.home.volume.commit = async () => assert.ok(levels.own)
            await control.work()
            assert.deepEqual([pair.role, levels.own, node.home.serving], [role.waiting, false, false])
        })

    it("a mount of the home volume: what the partner had recorded before counts for nothing [R8] [R12]", async () => {
        const setup = controlling(role.booting)
        const { node, control } = setup
        setRecorded(node.recorded, kindUpload, 7, 448)
        node.home.volume.mount = async () => true
        tick(setup, 0)
        tick(setup, own)
        await control.work()
        assert.equal(getRecorded(node.recorded, kindUpload, 7), 0)
    })

    it("a worker that hangs in a step ends the program, one that works or waits does not [R9] [R32]", async () => {
        const setup = controlling(role.active)
        const { node, worker, control } = setup
        let restarts = 0
        control.lines.restart = () => restarts++
        let wake = () => {}
        let goOn: () => void = () => {}
        node.workerSignal.wait = () => new Promise<void>(resolve => (wake = resolve))
        control.work = () =>
            new Promise<void>(resolve => (goOn = resolve)).then(() => {
                control.jobs.shift()
            })
        const settled = () => new Promise(resolve => setImmediate(resolve))
        const passes = (ms: number) => {
            setClock(clockMs + ms)
            node.nowMs = clockMs
            tickWorker(worker, clockMs)
        }
        node.nowMs = clockMs
        void worker.run()
        await settled()
        // it waits for an hour, and then works for long
        passes(3_600_000)
        for (let step = 0; step < 3; step++) {
            control.jobs.push(role.doMountHome)
            wake()
            await settled()
            passes(workerMsMax)
            goOn()
            await settled()
        }
        assert.equal(restarts, 0)
        control.jobs.push(role.doMountHome)
        wake()
        await settled()
        passes(workerMsMax + 1)
        assert.equal(restarts, 1)
    })

    it("a worker that waits never ends the program, a month after the boot or years [R32]", () => {
        const { worker, control } = controlling(role.active)
        let restarts = 0
        control.lines.restart = () => restarts++
        for (const days of [1, 25, 50, 3_650]) tickWorker(worker, days * 86_400_000)
        assert.equal(restarts, 0)
    })

    it("the partner's OWN rises while its volume mounts: it is not served [R31]", async () => {
        const setup: Setup = takingOver(() => {
            tick(setup, own)
            return true
        })
        await setup.control.work()
        assert.equal(setup.pair.role, role.active)
        assert.equal(setup.node.other.serving, false)
        assert.deepEqual(setup.levels, { own: false, hold: false, reset: false })
    })

    it("the takeover is given up before the worker comes to it: the elements are not touched [R31]", async () => {
        let mounts = 0
        const setup = takingOver(() => ++mounts > 0)
        tick(setup, own)
        await setup.control.work()
        assert.equal(mounts, 0)
        assert.equal(setup.pair.partnerBusy, false)
    })

    it("the partner's OWN rises between two copies: the rest is kept, not executed [R9] [R31]", async () => {
        const setup = takingOver(() => true)
        const { node, worker } = setup
        for (let n = 0; n < 4; n++) recordCommand(node.journal, 0x81, request(1, 9, n + 1))
        let replayed = 0
        worker.replay = async () => {
            if (++replayed === 2) tick(setup, own)
        }
        await setup.control.work()
        assert.equal(replayed, 2)
        assert.equal(node.journal.held, 3)
        assert.equal(node.journal.replaying, false)
        assert.equal(node.other.serving, false)
    })

    it("a copy cannot be finished: the takeover fails, the claim ends and the copies are kept [R9]", async () => {
        quietly()
        const setup = takingOver(() => true)
        const { node, worker, pair } = setup
        recordCommand(node.journal, 0x80, block(1, 7, 0, 9))
        recordCommand(node.journal, 0x81, request(1, 9, 1))
        worker.write = async () => {
            throw new Error("no element answers")
        }
        await setup.control.work()
        assert.equal(pair.role, role.active)
        assert.equal(pair.failure, role.vetoFault)
        assert.equal(setup.levels.hold, false)
        assert.equal(node.other.serving, false)
        assert.equal(node.journal.held, 2)
    })

    it("all copies are finished: the volume is served and the memory is empty [R9]", async () => {
        const setup = takingOver(() => true)
        const { node, worker, pair } = setup
        const done: number[] = []
        worker.write = async () => void done.push(0x80)
        worker.replay = async () => void done.push(0x81)
        recordCommand(node.journal, 0x80, block(1, 7, 0, 9))
        recordCommand(node.journal, 0x81, request(1, 9, 1))
        await setup.control.work()
        assert.deepEqual(done, [0x80, 0x81])
        assert.equal(pair.role, role.takenOver)
        assert.equal(node.other.serving, true)
        assert.equal(node.journal.held, 0)
        assert.equal(setup.levels.hold, true)
    })

    for (const step of ["commit", "settle"])
        it(`giveback: ${step} throws, and the claim ends all the same [R15]`, async () => {
            quietly()
            const setup = takingOver(() => true)
            await setup.control.work()
            const { node, pair } = setup
            node.other.volume.commit = async () => {
                if (step === "commit") throw new Error("no element answers")
            }
            node.other.volume.array.settle = async () => {
                throw new Error("no element answers")
            }
            setup.control.event(role.evPartner, role.waiting)
            setup.control.event(role.evGiveback, 0)
            await setup.control.work()
            assert.equal(pair.role, role.active)
            assert.equal(setup.levels.hold, false)
            assert.equal(node.other.serving, false)
        })

    it("the home array is lost at run time: OWN falls, so that the partner may try [R25] [R32]", async () => {
        const setup = controlling(role.active)
        const { node, pair } = setup
        pair.home = node.home.serving = true
        setup.levels.own = true
        node.home.volume.mount = async () => false
        await recover(setup.control, "test")
        assert.equal(pair.role, role.degraded)
        assert.equal(setup.levels.own, false)
        assert.equal(node.home.serving, false)
    })

    it("the partner's array is lost at run time: HOLD falls, so that the partner may try [R25]", async () => {
        const setup = takingOver(() => true)
        await setup.control.work()
        const { node, pair } = setup
        node.home.volume.mount = async () => true
        node.other.volume.mount = async () => false
        await recover(setup.control, "test")
        assert.equal(pair.role, role.active)
        assert.equal(setup.levels.hold, false)
        assert.equal(node.other.serving, false)
        assert.equal(node.home.serving, true)
    })

    it("the partner's OWN rises while its volume is mounted again: it is not served [R31]", async () => {
        const setup = takingOver(() => true)
        await setup.control.work()
        const { node } = setup
        node.home.volume.mount = async () => true
        node.other.volume.mount = async () => {
            tick(setup, own)
            return true
        }
        await recover(setup.control, "test")
        assert.equal(node.other.serving, false)
    })
})

describe("control: what someone asks for", () => {
    let tag = 0
    const verb = (number: number, flags = 0) => {
        // as in the inbox, padded with zeros
        const frame = Buffer.alloc(236)
        frame[4] = number
        frame[5] = flags
        frame.writeUInt16LE(++tag, 6)
        return frame
    }
    const takeover = 1
    const giveback = 2
    const dryRun = 1
    const force = 2
    const mode = 3
    const badRequest = 8
    const vetoed = 18

    it("a verb there is none of gets badRequest, and changes nothing [R33]", () => {
        for (const number of [0, 4, 7, 255]) {
            const { control, outcomes, pair } = controlling(role.takenOver)
            control.event(role.evPartner, role.waiting)
            askControl(control, verb(number))
            assert.deepEqual(outcomes, [[number, 0, badRequest, 0]])
            assert.equal(pair.role, role.takenOver)
        }
    })

    it("a dry run says why not, or that it is possible, and changes nothing [R15]", () => {
        const { control, outcomes, pair } = controlling(role.active)
        askControl(control, verb(takeover, dryRun))
        pair.partnerOwn = 1
        pair.heardBusMs = 0
        askControl(control, verb(takeover, dryRun))
        askControl(control, verb(giveback, dryRun))
        assert.deepEqual(outcomes, [
            [takeover, 1, 0, 0],
            [takeover, 1, vetoed, role.vetoBusSilent],
            [giveback, 1, vetoed, role.vetoAlready],
        ])
        assert.equal(pair.role, role.active)
    })

    it("a dry run of what has just failed at the array says so; asked for, it is tried all the same [R15]", () => {
        const { control, outcomes, pair } = controlling(role.active)
        Object.assign(pair, { failure: role.vetoFault, noTakeoverBeforeMs: clockMs + 1 })
        askControl(control, verb(takeover, dryRun))
        pair.noTakeoverBeforeMs = clockMs
        askControl(control, verb(takeover, dryRun))
        pair.noTakeoverBeforeMs = clockMs + 1
        askControl(control, verb(takeover))
        assert.deepEqual(outcomes, [
            [takeover, 1, vetoed, role.vetoFault],
            [takeover, 1, 0, 0],
        ])
        assert.equal(pair.role, role.takingOver)
    })

    it("a takeover asked for after a failover is kept: the partner's volume is not given back before someone asks [R15]", () => {
        const { control, outcomes, pair } = controlling(role.takenOver)
        pair.home = pair.holding = true
        pair.cause = role.causeLine
        control.event(role.evPartner, role.waiting)
        assert.ok(role.givebackDueMs(pair, clockMs) > 0)
        askControl(control, verb(takeover))
        assert.deepEqual(outcomes, [[takeover, 0, 0, 0]])
        assert.equal(role.givebackDueMs(pair, clockMs), -1)
    })

    for (const cause of [role.causeLine, role.causeSilence])
        it(`a takeover asked for that becomes a failover's, or was one, is kept: cause ${cause} [R15]`, () => {
            const setup = controlling(role.active)
            const { control, outcomes, pair } = setup
            pair.home = true
            control.event(role.evPartner, role.active)
            tick(setup, own)
            if (cause === role.causeLine) tick(setup, 0)
            askControl(control, verb(takeover))
            if (cause === role.causeSilence) {
                tick(setup, own, silentMs)
                control.event(role.evBus, 0)
                for (let n = 0; n < confirmTicks; n++) tick(setup, own)
            }
            assert.deepEqual([pair.role, pair.cause], [role.takingOver, cause])
            tick(setup, 0)
            control.event(role.evPartnerMounted, 0)
            assert.deepEqual(outcomes, [[takeover, 0, 0, 0]])
            control.event(role.evPartner, role.waiting)
            assert.equal(role.givebackDueMs(pair, clockMs), -1)
        })

    it("what was asked is done once: asked again or late, it is told again as it was [R15]", () => {
        const setup = controlling(role.takenOver)
        const { control, outcomes, pair } = setup
        pair.home = pair.holding = true
        const standby = verb(mode)
        standby[8] = role.activeStandby
        askControl(control, standby)
        const early = verb(giveback)
        askControl(control, early)
        control.event(role.evPartner, role.waiting)
        const back = verb(giveback)
        for (let n = 0; n < 2; n++) askControl(control, back)
        control.event(role.evPartnerReleased, 0)
        const told = [
            [mode, 0, 0, 0],
            [giveback, 0, vetoed, role.vetoNotHeard],
            [giveback, 0, 0, 0],
        ]
        assert.deepEqual(outcomes, told)
        for (const frame of [standby, early, back]) askControl(control, frame)
        assert.deepEqual(outcomes.slice(3), told)
        assert.deepEqual([pair.role, pair.mode], [role.active, role.activeActive])
        // the same asked anew is done
        askControl(control, verb(takeover))
        assert.equal(pair.role, role.takingOver)
    })

    it("10 s after the last outcome a tag may be another host's [R15]", () => {
        const setup = controlling(role.active)
        setup.pair.home = true
        const frame = verb(giveback)
        askControl(setup.control, frame)
        setup.pair.role = role.takenOver
        for (const [afterMs, outcome] of [
            [10_000, [giveback, 0, 0, 0]],
            [1, [giveback, 0, vetoed, role.vetoNotHeard]],
        ] as const) {
            setClock(clockMs + afterMs)
            askControl(setup.control, frame)
            assert.deepEqual(setup.outcomes.pop(), outcome)
        }
    })

    it("the last 8 outcomes are remembered, without those of dry runs [R15] [R36]", () => {
        const { control, outcomes, pair } = controlling(role.active)
        const first = verb(giveback)
        askControl(control, first)
        const ask = (flags: number) => askControl(control, verb(giveback, flags))
        for (let n = 0; n < 7; n++) ask(0)
        for (let n = 0; n < 9; n++) ask(dryRun)
        pair.role = role.takenOver
        askControl(control, first)
        assert.deepEqual(outcomes.pop(), [giveback, 0, 0, 0])
        ask(0)
        askControl(control, first)
        assert.deepEqual(outcomes.pop(), [giveback, 0, vetoed, role.vetoNotHeard])
    })

    it("a giveback during which the home array is lost is not told as done [R15]", () => {
        const { control, outcomes, pair } = controlling(role.takenOver)
        pair.home = pair.holding = true
        control.event(role.evPartner, role.waiting)
        askControl(control, verb(giveback))
        assert.deepEqual(outcomes, [])
        control.event(role.evHomeFailed, 0)
        assert.deepEqual(outcomes, [[giveback, 0, vetoed, role.vetoFault]])
    })

    it("mode: standby is a takeover that is kept, active/active a giveback; a mode there is none of is refused [R10] [R11] [R33]", () => {
        const { control, outcomes, pair } = controlling(role.takenOver)
        pair.home = pair.holding = true
        control.event(role.evPartner, role.waiting)
        const ask = (asked: number) => {
            const frame = verb(mode)
            frame[8] = asked
            askControl(control, frame)
        }
        ask(role.activeStandby)
        assert.deepEqual(outcomes, [[mode, 0, 0, 0]])
        assert.equal(pair.mode, role.activeStandby)
        ask(2)
        assert.deepEqual(outcomes.slice(1), [[mode, 0, badRequest, 0]])
        ask(role.activeActive)
        assert.equal(pair.mode, role.activeActive)
        assert.equal(pair.role, role.givingBack)
        control.event(role.evPartnerReleased, 0)
        assert.deepEqual(outcomes.slice(2), [[mode, 0, 0, 0]])
    })

    it("mode: a takeover that fails leaves the mode as it was, one that is done sets it [R10] [R11]", () => {
        const setup = controlling(role.active)
        const { control, outcomes, pair } = setup
        pair.home = true
        const ask = () => {
            const frame = verb(mode)
            frame[8] = role.activeStandby
            control.event(role.evPartner, role.active)
            askControl(control, frame)
        }
        tick(setup, own)
        ask()
        for (let n = 0; n * 60 < letGoMsMax; n++) {
            control.event(role.evPartner, role.active)
            tick(setup, own, 60)
        }
        assert.deepEqual([outcomes, pair.mode], [[[mode, 0, vetoed, role.vetoHeld]], role.activeActive])
        ask()
        control.event(role.evPartner, role.waiting)
        for (let n = 0; n < 20; n++) tick(setup, 0)
        assert.equal(pair.mode, role.activeActive)
        control.event(role.evPartnerMounted, 0)
        assert.deepEqual([outcomes[1], pair.mode], [[mode, 0, 0, 0], role.activeStandby])
    })

    it("a takeover whose fence does not work is told so, once [R15] [R31]", () => {
        const setup = controlling(role.active)
        const { control, outcomes, pair } = setup
        pair.home = true
        control.event(role.evPartner, role.active)
        askControl(control, verb(takeover, force))
        askControl(control, verb(takeover, force))
        for (let n = 0; n < 20; n++) tick(setup, own)
        assert.deepEqual(outcomes, [[takeover, 0, vetoed, role.vetoLines]])
    })
})
