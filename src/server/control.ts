// Carries out what the pair's role logic decides: lines at once, changes of control by the worker, between two commands.
//
// Crash order of a takeover: 1 HOLD high, 2 RESET low, 3 partner's OWN seen low, 4 RESET released, 5 mount (reads; then an anchor with the
// next epoch), 6 copies finished, 7 beat. Of one that is asked for: 1 HOLD high; the partner: 2 serve no more, 3 checkpoint, 4 settle, 5 OWN low; then 5 to 7 as
// above. Of a giveback: 1 serve no more, 2 checkpoint, 3 settle, 4 HOLD low; the partner then raises OWN and mounts.

import { beatMs, busQuietMs, fenceTickMs, muteMsMax, silentMs, tickMs } from "../config"
import {
    doDropHome,
    doDropPartner,
    doHoldHigh,
    doHoldLow,
    doMountHome,
    doMountPartner,
    doOwnHigh,
    doOwnLow,
    doReleaseHome,
    doReleasePartner,
    doResetLow,
    doResetRelease,
    active,
    activeStandby,
    booting,
    causeAsked,
    evBus,
    evGiveback,
    evHomeFailed,
    evHomeMounted,
    evHomeReleased,
    evMode,
    evPartnerFailed,
    evPartnerMounted,
    evPartnerReleased,
    evTakeover,
    evTick,
    firstVeto,
    givebackVetoes,
    givingBack,
    nextTickMs,
    step,
    takeoverVetoes,
    takenOver,
    takingOver,
    vetoAlready,
    vetoFault,
} from "../pair/role"
import { platform } from "../platform"
import { changeSegment, roomIn } from "../store/log"
import { dropStrangers } from "../store/presence"
import { badRequest, ok, vetoed } from "../store/status"
import { uploadsMax } from "../store/volume"
import { clearRecorded } from "./copies"
import { eventRole, noteState, record } from "./events"
import { sealFrame } from "./frame"
import { Hosted } from "./hosted"
import { NodeServer, hostedBy } from "./node"
import { queue, wakeCarrier, tickOutbox } from "./outbox"
import { Worker, tickWorker } from "./worker"
import { dropReads } from "./reads"
import { clearJournal, oldestCopy, isAbandoned, endCopy } from "../pair/journal"

/** The lines between the nodes. */
export interface Lines {
    /** Partner's OWN, plus 2 times partner's HOLD. */
    read(): number
    setOwn(on: boolean): void
    setHold(on: boolean): void
    setPartnerReset(on: boolean): void
    /** Of all elements. */
    setClock(hz: number): void
    /** Starts this node anew, as after a power cut. */
    restart(): void
}

const verbTakeover = 1
const verbGiveback = 2
const verbMode = 3
const flagDryRun = 1
const flagForce = 2
/** So many outcomes are remembered: more than are told while a frame is on its way. */
const toldMax = 8
/** For so long after the last of them: longer than a frame is on its way, or a host waits before it asks again. */
const toldMsMax = 10000
/** A line that is bad for a moment is let pass before a mount. */
const recoverMs = 20
/** After a mount, work that can wait does so for this long. */
const mountQuietMs = 400

export class Control {
    worker: Worker
    node: NodeServer
    lines: Lines
    private actions: number[]
    /** Changes of control for the worker, in order. */
    jobs: number[]
    /** A takeover or giveback someone asked for and has not been told about: verb and tag; 0 = none. */
    askedVerb: number
    askedTag: number
    /** The verb as it was asked: a mode is set by a takeover or giveback. */
    askedAs: number
    /** What was told last of what someone asked for, the newest at the end, and when that was. */
    told: Buffer[]
    toldMs: number

    constructor(node: NodeServer, lines: Lines) {
        this.node = node
        this.lines = lines
        this.actions = []
        this.jobs = []
        node.home.volume.cleaner.jobs = this.jobs
        node.other.volume.cleaner.jobs = this.jobs
        node.home.volume.onControl = () => serveEarly(node, node.home)
        node.other.volume.onControl = () => serveEarly(node, node.other)
        this.askedVerb = 0
        this.askedTag = 0
        this.askedAs = 0
        this.told = []
        this.toldMs = 0
    }

    /** Looks at the lines and the clock, and at what the packet handlers left, for ever. */
    async run(): Promise<void> {
        const node = this.node
        let last = -1
        let due = 0
        let pulse = 0
        let muteFrom = 0
        for (;;) {
            const now = platform.now()
            node.journal.nowMs = now
            const lines = this.lines.read()
            const pair = node.pair
            // while the partner is heard these come with every tick, and do no more than this
            if (node.heardPartner) {
                node.heardPartner = false
                pair.heardPartnerMs = now
                pair.heardBusMs = now
                pair.aloneTicks = -1
            } else if (node.heardBus) {
                if (node.partnerAlive) pair.heardBusMs = now
                else {
                    this.event(evBus, 0)
                    if (pair.aloneTicks === 0) due = now
                }
            }
            node.heardBus = false
            node.nowMs = now
            const isAlive = now - pair.heardPartnerMs < silentMs
            // a host speaks at this, which tells whether it is this node that is cut off
            if (node.partnerAlive) if (!isAlive) node.outbox.beatDue = true
            node.partnerAlive = isAlive
            if (lines !== last || now >= due) {
                last = lines
                this.event(evTick, lines)
                due = nextTickMs(pair, now)
            }
            if (now >= pulse) {
                // acknowledgements that wait for a copy are looked at again
                node.outbox.progressDue = true
                pulse = now + beatMs
                noteState(node, now)
                // it hears others and finds no way to speak: the runtime lost its roles, and only a start brings them back
                if (now - pair.heardBusMs > busQuietMs || now - node.outbox.lastSendMs < busQuietMs) muteFrom = now
                else if (now - muteFrom > muteMsMax) this.lines.restart()
            }
            tickOutbox(node.outbox, now)
            tickWorker(this.worker, now)
            // a fence is waited for, not polled at leisure; a partner's word comes with a frame, for which there has to be time
            const isFencing = pair.role === takingOver && !pair.stepped && !pair.asking
            await platform.sleep(isFencing ? fenceTickMs : tickMs)
        }
    }

    /** One event for the role logic; lines change at once, the rest is left to the worker. */
    event(event: number, arg: number): void {
        const node = this.node
        const pair = node.pair
        const role = pair.role
        const actions = this.actions
        step(pair, event, arg, platform.now(), actions)
        const count = actions.length
        if (count > 0) {
            for (let i = 0; i < count; i++) act(this, actions[i])
            actions.insert(0, -count)
        }
        if (pair.role !== role) {
            record(node.events, eventRole, pair.cause, pair.role + 16 * role + 256 * pair.failure)
            node.outbox.beatDue = true
            tellOutcome(this)
        }
    }

    // --- the worker's part

    /** The change of control that is due. */
    async work(): Promise<void> {
        const job = this.jobs[0]
        this.jobs.insert(0, -1)
        // the role may have changed since the job was given, and again at each await in it
        if (job === doMountHome) await takeHome(this)
        else if (job === doMountPartner) await takePartner(this)
        else if (job === doReleasePartner) await release(this, this.node.other, evPartnerReleased)
        else if (job === doReleaseHome) await release(this, this.node.home, evHomeReleased)
    }
}

/** After an exception in the middle of an operation: what is served is mounted anew. */
export async function recover(control: Control, e: any): Promise<void> {
    console.log("! " + e)
    const node = control.node
    const pair = node.pair
    // it may not be over yet
    await platform.sleep(recoverMs)
    if (node.home.serving) {
        if (!(await mount(control, node.home))) control.event(evHomeFailed, 0)
        if (!pair.home) stop(control, node.home)
    }
    if (node.other.serving) {
        if (!(await mount(control, node.other))) control.event(evPartnerFailed, 0)
        if (pair.role !== takenOver) if (pair.role !== takingOver) stop(control, node.other)
    }
    node.outbox.beatDue = true
}

function act(control: Control, action: number): void {
    const lines = control.lines
    if (action === doOwnHigh) lines.setOwn(true)
    else if (action === doOwnLow) lines.setOwn(false)
    else if (action === doHoldHigh) lines.setHold(true)
    else if (action === doHoldLow) lines.setHold(false)
    else if (action === doResetLow) {
        lines.setPartnerReset(true)
        // and with it go its copies: nothing waits for them
        control.node.partnerRecords = false
    } else if (action === doResetRelease) lines.setPartnerReset(false)
    else if (action === doDropHome) stop(control, control.node.home)
    else if (action === doDropPartner) stop(control, control.node.other)
    else {
        control.jobs.push(action)
        control.node.workerSignal.notify()
    }
}

export function stop(control: Control, hosted: Hosted): void {
    hosted.serving = false
    hosted.volume.mounted = false
    // what the worker is in the middle of reaches no element any more, until the next mount asks them who they are
    const bank = hosted.volume.array.bank
    bank.isLetGo = true
    bank.alive = 0
    dropReads(control.node.reads, hosted)
    // nor are uploads told what was so then
    for (let i = 0; i < uploadsMax; i++) hosted.toldStatus[i] = ok
}

/** A mount may have an erase before it yet; what was let go of meanwhile is not served. */
function serveEarly(node: NodeServer, hosted: Hosted): void {
    if (hosted.volume.array.bank.alive) serve(node, hosted)
}

/** This node controls a volume: what is durable there may be told. What is asked waits until the mount has ended. */
function serve(node: NodeServer, hosted: Hosted): void {
    hosted.epoch = hosted.volume.log.epoch
    hosted.serving = true
    const outbox = node.outbox
    outbox.beatDue = true
    outbox.progressDue = true
    wakeCarrier(outbox)
}

async function mount(control: Control, hosted: Hosted): Promise<boolean> {
    try {
        if (!(await hosted.volume.mount())) return false
    } catch (e) {
        console.log("! mount " + e)
        return false
    }
    serve(control.node, hosted)
    // hosts come back first; an erase or a move now would keep them waiting
    control.worker.lastCommandMs = platform.now() + mountQuietMs
    return true
}

async function takeHome(control: Control): Promise<void> {
    const node = control.node
    // a partner that had this volume has finished its copies and dropped them
    clearRecorded(node.recorded)
    const mounted = node.pair.role === booting && (await mount(control, node.home))
    control.event(mounted ? evHomeMounted : evHomeFailed, 0)
    if (mounted) if (!node.pair.home) stop(control, node.home)
}

async function takePartner(control: Control): Promise<void> {
    const node = control.node
    const pair = node.pair
    let mounted = pair.role === takingOver && (await mount(control, node.other))
    // a beat of before the reset may have been heard since
    if (!pair.asking) node.partnerRecords = false
    // hosts may come; what they ask waits behind the copies
    if (mounted) if (pair.role === takingOver) mounted = await finishCopies(control)
    control.event(mounted ? evPartnerMounted : evPartnerFailed, 0)
    if (pair.role !== takenOver) stop(control, node.other)
}

/**
 * Executes what the partner was sent and did not finish, in the order in which it was heard.
 * @returns false when the volume was lost meanwhile; the copies left are kept
 */
async function finishCopies(control: Control): Promise<boolean> {
    const node = control.node
    const journal = node.journal
    journal.replaying = true
    const finished = await finishEach(control)
    journal.replaying = false
    if (finished) clearJournal(journal)
    return finished
}

async function finishEach(control: Control): Promise<boolean> {
    const node = control.node
    const journal = node.journal
    try {
        for (;;) {
            const slot = oldestCopy(journal)
            if (slot < 0) return true
            if (!isAbandoned(journal, slot)) {
                const frame = journal.frames[slot]
                if (journal.commands[slot] === 0x80) await control.worker.write(frame, journal.sizes[slot])
                else await control.worker.replay(frame, journal.sizes[slot])
                if (!node.other.serving) return false
            }
            endCopy(journal, slot)
        }
    } catch (e) {
        console.log("! copies " + e)
        return false
    }
}

/** Writes down what a volume has, and lets go of it. */
async function release(control: Control, hosted: Hosted, event: number): Promise<void> {
    hosted.serving = false
    dropReads(control.node.reads, hosted)
    try {
        // a blank one in a member's place would be taken for it by whoever mounts, for the anchors it gets now
        await dropStrangers(hosted.volume.repair)
        await hosted.volume.commit()
        // room for whoever takes it over, who knows of no erased segment: an erase would keep its first clients waiting
        const log = hosted.volume.log
        if (log.erased) if (roomIn(log) < log.array.segmentPages >> 2) await changeSegment(log)
        await hosted.volume.array.settle()
    } catch (e) {
        // what was acknowledged is on the array; the next mount finds it
        console.log("! release " + e)
    }
    stop(control, hosted)
    control.event(event, 0)
}

/** Whether it is this node whose array cannot be read: one that hangs on the partner's port by now reads as nothing. */
export function isServed(control: Control, volume: number): boolean {
    control.event(evTick, control.lines.read())
    return hostedBy(control.node, volume).serving
}

/** A `control` frame. */
export function askControl(control: Control, frame: Buffer): void {
    const pair = control.node.pair
    const now = platform.now()
    const asked = frame[4]
    const flags = frame[5]
    const tag = frame.getAt(6, "u16")
    const mode = frame[8]
    // hosts draw their tags: after a while it is another's
    if (now - control.toldMs > toldMsMax) control.told = []
    // asked again because the outcome was lost, or a late copy: it is told again, not done again
    const told = control.told
    for (let i = 0; i < told.length; i++) {
        const out = told[i]
        if (out.getAt(6, "u16") === tag)
            if (out[4] === asked) {
                tell(control, out)
                return
            }
    }
    let verb = asked
    if (asked === verbMode) {
        verb = verbGiveback
        if (mode === activeStandby) verb = verbTakeover
        // 9 bytes
        if (mode > activeStandby) verb = 0
    }
    if (verb !== verbTakeover)
        if (verb !== verbGiveback) {
            outcome(control, asked, flags & flagDryRun, tag, badRequest, 0)
            return
        }
    let vetoes = verb === verbTakeover ? takeoverVetoes(pair, now) : givebackVetoes(pair, now)
    if (flags & flagDryRun) {
        // it has just tried, and tries again by itself; who asks for it, and not whether, has it tried at once
        if (verb === verbTakeover)
            if (pair.failure === vetoFault) if (now < pair.noTakeoverBeforeMs) vetoes |= 1 << vetoFault
        outcome(control, asked, flagDryRun, tag, vetoes ? vetoed : ok, vetoes)
        return
    }
    const isAlready = vetoes === 1 << vetoAlready
    // asked again while it is under way, or after it was done
    const isUnderWay = pair.role === (verb === verbTakeover ? takingOver : givingBack)
    if (vetoes)
        if (!isAlready)
            if (!isUnderWay) {
                outcome(control, asked, 0, tag, vetoed, vetoes)
                return
            }
    if (isAlready) {
        if (asked === verbMode) control.event(evMode, mode)
        // a failover's takeover is one that was asked for from now on, and kept
        if (asked === verbTakeover) pair.cause = causeAsked
        outcome(control, asked, 0, tag, ok, 0)
        return
    }
    control.askedVerb = verb
    control.askedAs = asked
    control.askedTag = tag
    if (!isUnderWay) control.event(verb === verbTakeover ? evTakeover : evGiveback, flags & flagForce)
}

/** Tells who asked, once the role has settled. */
function tellOutcome(control: Control): void {
    const pair = control.node.pair
    if (control.askedVerb === 0) return
    if (pair.role === takingOver) return
    if (pair.role === givingBack) return
    let done = pair.role === active
    if (control.askedVerb === verbTakeover) {
        done = pair.role === takenOver
        if (done) {
            // a failover's takeover that was under way, too
            pair.cause = causeAsked
            // one that fails leaves the mode as it was
            if (control.askedAs === verbMode) pair.mode = activeStandby
        }
    }
    outcome(control, control.askedAs, 0, control.askedTag, done ? ok : vetoed, done ? 0 : 1 << pair.failure)
    control.askedVerb = 0
}

/** @param vetoes bit n for veto n; the frame has the first one by its number, and all of them from bit 0 on */
function outcome(control: Control, verb: number, flags: number, tag: number, status: number, vetoes: number): void {
    const out = Buffer.alloc(12)
    out[4] = verb
    out[5] = flags
    out.setAt(6, "u16", tag)
    out[8] = status
    out[9] = firstVeto(vetoes)
    out[10] = control.node.pair.role
    out[11] = vetoes >> 1
    sealFrame(out, 0)
    tell(control, out)
    if (flags) return
    control.toldMs = platform.now()
    const told = control.told
    told.push(out)
    if (told.length > toldMax) told.insert(0, -1)
}

function tell(control: Control, out: Buffer): void {
    const outbox = control.node.outbox
    queue(outbox, outbox.outcomes, out)
}
