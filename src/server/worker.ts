// The worker: one command, or one bounded step of background work, at a time.
//
// Promises: nothing a packet carries can stop the node; a command is executed only for a volume this node serves; acknowledged means
// settled on the array. An exception within a command costs the volume a new mount, never the node.

import { faultRetryMs, retryMs, windowBlocks, workerMsMax } from "../config"
import { platform } from "../platform"
import { bodyBytes } from "../store/page"
import { opCommit, opHello, opMask, silent, isDone, executeRequest } from "../store/requests"
import { ioError, noSpace, noUpload, notController, ok, wrongEpoch } from "../store/status"
import { Upload, acceptBlock, settleUpload, takeBytes, appendFull, appendPartial, takenBytes } from "../store/upload"
import { Control, askControl, isServed, recover } from "./control"
import { frameIsGood, sealFrame } from "./frame"
import { Hosted, refusal, slotOf } from "./hosted"
import { inboxSlots } from "./inbox"
import { NodeServer, elsewhere, hostedBy } from "./node"
import { framesMax, queue, queueReply } from "./outbox"
import { answerBytesMax, answerHeadBytes, query } from "./questions"
import { replyFlags } from "./telling"
import { beginRead, nextData } from "./reads"
import { eraseAhead, roomIn } from "../store/log"
import { repairStep } from "../store/repair"
import { isRoomy, uploadOf } from "../store/volume"

export const commandWrite = 0x80
export const commandRequest = 0x81
export const commandRead = 0x82
export const commandQuery = 0x83
export const commandControl = 0x84

const writeHeadBytes = 12
/** A `write` frame with a full block. */
const blockFrameBytes = 236
/** Idle for this long, an upload's unfinished page is programmed, and work that can wait is done. */
const quietMs = 25
/** And for this long, what takes longer and has room to wait. */
const restMs = 250

/** Commands in a row before file data, or a change of control, has its turn. */
const commandsPerStep = 8

const stepsWithoutRest = 16

const flagTellNow = 1
const never = 9e15

export class Worker {
    node: NodeServer
    control: Control
    answer: Buffer
    lastCommandMs: number
    /** Uploads took blocks that are not known to be durable yet. */
    unsettled: boolean
    /** There is nothing left of the work that can wait. */
    tidied: boolean
    /** Until then a question or a read for which the tree cannot be read is answered so: one has just cost a mount, and its host and others ask again. */
    vainMs: number
    /** When the step under way began; far in the future while there is none. */
    stepMs: number

    constructor(node: NodeServer, control: Control) {
        this.node = node
        this.control = control
        this.answer = Buffer.alloc(answerBytesMax)
        this.lastCommandMs = 0
        this.unsettled = false
        this.tidied = false
        this.vainMs = 0
        this.stepMs = never
    }

    async run(): Promise<void> {
        let steps = 0
        for (;;) {
            let worked = false
            this.stepMs = this.node.nowMs
            try {
                worked = await step(this)
                if (worked)
                    if (++steps >= stepsWithoutRest) {
                        steps = 0
                        // the runtime ends a program that computes for 131,072 operations without a rest; most steps rest at a chip, not all
                        await platform.sleep(1)
                        // a rebuild goes on under load, too
                        await tidy(this, this.node.home, this.node.nowMs, true)
                        await tidy(this, this.node.other, this.node.nowMs, true)
                    }
            } catch (e) {
                await recover(this.control, e)
            }
            this.stepMs = never
            if (!worked) await this.node.workerSignal.wait()
        }
    }

    // --- uploads

    /** A block of an upload; also used to replay a copy. Flat, because it runs for each 224 bytes written. */
    async write(frame: Buffer, bytes: number): Promise<void> {
        const node = this.node
        const hosted = frame[4] === node.number ? node.home : node.other
        if (hosted.number !== frame[4]) {
            tellUpload(this, frame, notController)
            return
        }
        if (!hosted.serving) return
        if (bytes > blockFrameBytes) return
        const handle = frame.getAt(6, "u16")
        let upload = hosted.current
        if (!upload.object || (upload.object & 0xffff) !== handle) {
            const slot = slotOf(hosted, handle)
            if (slot < 0) {
                tellUpload(this, frame, noUpload)
                return
            }
            upload = hosted.volume.uploads[slot]
            hosted.current = upload
        }
        const at = acceptBlock(upload, frame, writeHeadBytes, bytes, frame.getAt(8, "u32"))
        if (at < 0) {
            // a gap, or a block the volume has: the host hears where to go on
            hosted.toldObjects[slotOf(hosted, handle)] = 0
            node.outbox.progressDue = true
            return
        }
        this.unsettled = true
        if (upload.fill === bodyBytes) {
            if (!(await appendPage(this, hosted, upload))) return
            if (at < bytes) takeBytes(upload, frame, at, bytes - at)
        }
        // the last block of a file is short: do not wait for more
        if (bytes < blockFrameBytes) await appendPartials(this, hosted)
        else if (frame[5] & flagTellNow) node.outbox.progressDue = true
    }

    // --- requests

    /** Finishes a copied request whose owner is gone. One that cannot be finished yet is left to the host. */
    async replay(frame: Buffer, bytes: number): Promise<void> {
        const hosted = hostedBy(this.node, frame[4])
        if (!hosted) return
        if (!hosted.serving) return
        if (isDone(hosted.requests, frame)) return
        // its host may have said bye since, and what it asked would be done again in a session that knows nothing of it
        if (frame[5] === opHello) return
        if ((frame[5] & opMask) === opCommit) {
            const upload = uploadOf(hosted.volume, frame.getAt(16, "u32"))
            if (!upload) return
            if (takenBytes(upload) !== frame.getAt(20, "u32")) return
        }
        const status = await execute(this, hosted, frame, bytes)
        if (status !== silent) reply(this, hosted, frame, status)
    }

    // --- work that can wait
}

/** Work that can wait is done when no command came for a while. A worker that hangs ends the program: the partner takes over. */
export function tickWorker(worker: Worker, nowMs: number): void {
    if (nowMs - worker.stepMs > workerMsMax) worker.control.lines.restart()
    if (!worker.tidied) if (nowMs - worker.lastCommandMs >= quietMs) worker.node.workerSignal.notify()
}

/** @returns false when there was nothing to do */
async function step(worker: Worker): Promise<boolean> {
    const node = worker.node
    const control = worker.control
    if (control.jobs.length > 0) {
        worker.tidied = false
        await control.work()
        return true
    }
    const inbox = node.inbox
    if (inbox.count > 0) {
        worker.tidied = false
        for (let n = commandsPerStep; n > 0 && inbox.count > 0; n--) {
            const slot = inbox.head
            const frame = inbox.frames[slot]
            const bytes = inbox.sizes[slot]
            let failed: unknown
            // a handler may only add behind it while this one is worked on; no `finally`, with which the link step gives no local out anew
            try {
                if (!frameIsGood(frame, bytes)) node.badChecks++
                else if (inbox.commands[slot] === commandWrite) await worker.write(frame, bytes)
                else await dispatch(worker, inbox.commands[slot], frame, bytes)
            } catch (e) {
                failed = e
            }
            inbox.head = slot === inboxSlots - 1 ? 0 : slot + 1
            inbox.count--
            if (failed) throw failed
        }
        worker.lastCommandMs = node.nowMs
        await readOn(worker)
        return true
    }
    if (worker.unsettled) {
        worker.unsettled = false
        await settle(worker, node.home)
        await settle(worker, node.other)
        return true
    }
    if (await readOn(worker)) return true
    const now = node.nowMs
    if (now - worker.lastCommandMs < quietMs) return false
    if (await tidy(worker, node.home, now, false)) return true
    if (await tidy(worker, node.other, now, false)) return true
    worker.tidied = now - worker.lastCommandMs >= restMs
    return false
}

/** One frame of file data, if one is asked for and can be sent soon. */
async function readOn(worker: Worker): Promise<boolean> {
    const node = worker.node
    if (node.reads.active === 0) return false
    if (node.outbox.frames.length >= framesMax) return false
    const reads = node.reads
    let frame: Buffer
    try {
        frame = await nextData(reads, replyFlags(node))
    } catch (e) {
        // as with a question: what the tree does not find after a new mount is lost
        // but for a page that was written meanwhile and lost: who waits for it hears of it by the mount
        if (node.nowMs < worker.vainMs && !worker.unsettled) reads.reads[reads.turn].status = ioError
        else {
            await recover(worker.control, e)
            worker.vainMs = node.nowMs + retryMs
        }
        return true
    }
    if (frame)
        if (frame[6] !== ioError || isServed(worker.control, frame[4])) queue(node.outbox, node.outbox.frames, frame)
    return true
}

async function dispatch(worker: Worker, command: number, frame: Buffer, bytes: number): Promise<void> {
    if (bytes < writeHeadBytes) if (command !== commandControl) return
    if (command === commandRequest) await request(worker, frame, bytes)
    else if (command === commandQuery) await query(worker, frame, bytes)
    else if (command === commandRead) read(worker, frame, bytes)
    else if (command === commandControl) if (bytes >= 8) askControl(worker.control, frame)
}

async function appendPage(worker: Worker, hosted: Hosted, upload: Upload): Promise<boolean> {
    const volume = hosted.volume
    const node = worker.node
    node.outbox.progressDue = true
    if (await volume.prepareData(upload)) {
        await appendFull(upload, volume.log)
        upload.usedMs = node.nowMs
        return true
    }
    tellNoSpace(worker, hosted, volume.uploads.indexOf(upload))
    return false
}

/** Why a block was not taken. */
function tellUpload(worker: Worker, frame: Buffer, status: number): void {
    const node = worker.node
    const out = Buffer.alloc(16)
    out[4] = frame[4]
    out[5] = 1
    out[6] = replyFlags(node)
    out[7] = windowBlocks
    out.setAt(8, "u16", frame.getAt(6, "u16"))
    out[10] = status
    sealFrame(out, 0)
    queue(node.outbox, node.outbox.refusals, out)
}

async function appendPartials(worker: Worker, hosted: Hosted): Promise<void> {
    const volume = hosted.volume
    for (let i = 0; i < volume.uploads.length; i++) {
        const upload = volume.uploads[i]
        if (!upload.object) continue
        if (takenBytes(upload) === upload.durable) continue
        if (!(await volume.prepareData(upload))) {
            tellNoSpace(worker, hosted, i)
            continue
        }
        await appendPartial(upload, volume.log)
        worker.unsettled = true
    }
}

function tellNoSpace(worker: Worker, hosted: Hosted, slot: number): void {
    hosted.toldStatus[slot] = noSpace
    hosted.toldObjects[slot] = 0
    worker.node.outbox.progressDue = true
}

async function settle(worker: Worker, hosted: Hosted): Promise<void> {
    if (!hosted.serving) return
    const volume = hosted.volume
    await volume.array.settle()
    for (let i = 0; i < volume.uploads.length; i++) {
        const upload = volume.uploads[i]
        if (upload.object) settleUpload(upload)
    }
    worker.node.outbox.progressDue = true
}

async function request(worker: Worker, frame: Buffer, bytes: number): Promise<void> {
    const hosted = hostedBy(worker.node, frame[4])
    let status = refusal(hosted, frame.getAt(6, "u16"))
    if (status === ok) status = await execute(worker, hosted, frame, bytes)
    if (status === silent) return
    reply(worker, hosted, frame, status)
}

async function execute(worker: Worker, hosted: Hosted, frame: Buffer, bytes: number): Promise<number> {
    for (let isAgain = false; ; isAgain = true)
        try {
            return await executeRequest(hosted.requests, frame, bytes)
        } catch (e) {
            await recover(worker.control, e)
            // who serves it from here on answers when it is asked again
            if (!hosted.serving) return silent
            // a line may have been bad for a moment; and what was done is not done again
            if (isAgain) return ioError
        }
}

function reply(worker: Worker, hosted: Hosted, frame: Buffer, status: number): void {
    const out = Buffer.alloc(24)
    out[4] = frame[4]
    out[5] = frame[5] & opMask
    out[6] = status
    out.blitAt(8, frame, 8, 8)
    if (hosted) out.setAt(20, "u32", hosted.epoch)
    if (status === notController) out[16] = elsewhere(worker.node, frame[4])
    else if (status !== wrongEpoch) out.setAt(16, "u32", hosted.requests.value)
    queueReply(worker.node.outbox, out, worker.node.nowMs)
}

function read(worker: Worker, frame: Buffer, bytes: number): void {
    if (bytes < 20) return
    const hosted = hostedBy(worker.node, frame[4])
    const status = refusal(hosted, frame.getAt(6, "u16"))
    if (status !== notController) beginRead(worker.node.reads, hosted, frame, status)
    else if (frame.getAt(16, "u16") + frame[18]) {
        const node = worker.node
        const out = Buffer.alloc(answerHeadBytes)
        out[4] = frame[4]
        out[5] = frame[5]
        out[6] = status
        out[8] = elsewhere(node, frame[4])
        sealFrame(out, frame.getAt(8, "u32"))
        queue(node.outbox, node.outbox.frames, out)
    }
}

/** @param isBusy there is no rest to wait for. @returns false when there was nothing to do */
async function tidy(worker: Worker, hosted: Hosted, nowMs: number, isBusy: boolean): Promise<boolean> {
    if (!hosted.serving) return false
    const volume = hosted.volume
    const array = volume.array
    // an element that failed while only reads came is noted, and told, without waiting for a write
    if (array.writeMask & ~array.bank.alive) {
        await array.finish()
        return true
    }
    for (let i = 0; i < volume.uploads.length; i++) {
        const upload = volume.uploads[i]
        if (upload.object)
            if (takenBytes(upload) !== upload.durable)
                if (nowMs - upload.usedMs >= quietMs) {
                    await appendPartials(worker, hosted)
                    return worker.unsettled
                }
    }
    const rests = nowMs - worker.lastCommandMs >= restMs
    if (volume.orphans)
        if (nowMs >= hosted.reclaimMs)
            if (rests || !isRoomy(volume)) {
                // so it stays when that fails: what it met may be there for good, and a mount writes
                hosted.reclaimMs = nowMs + faultRetryMs
                await volume.reclaim()
                hosted.reclaimMs = 0
                return true
            }
    const log = volume.log
    if (rests || roomIn(log) < array.segmentPages >> 2) if (await eraseAhead(log)) return true
    // looking after a segment that was left waits for a rest, if there is one; a rebuild and a scrub go on in every gap
    const repair = volume.repair
    if (!rests && !isBusy) if (repair.rate + repair.retiring === 0) if (array.joining < 0) return false
    return await repairStep(repair, nowMs)
}
