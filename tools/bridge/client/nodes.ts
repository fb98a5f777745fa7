/**
 * What the beats say: which nodes live, which of them controls each volume, and at which epoch. A node that has not
 * been heard for 400 ms controls nothing, nor does one whose number two boards bear: nothing is sent to either.
 * Listeners hear when a volume's controller or its epoch has changed, and when a silent controller is heard again.
 */
import { beatFlags, partnerOf, silentAfterMs, volumesMax } from "../protocol/numbers"
import type { Beat } from "../protocol/notices"
import type { Clock } from "../bus/clock"
import { rivalMs } from "./limits"

export interface NodeView {
    /** 0 is `a`. */
    node: number
    beat: Beat
    /** Clock time of the last valid notice of any kind. */
    heardMs: number
}

export type ControllerListener = (volume: number) => void

export class NodeTable {
    private readonly byNumber = new Map<number, NodeView>()
    private readonly epochLow = new Map<number, number>()
    private readonly listeners = new Set<ControllerListener>()
    /** What was last told to listeners, by volume. */
    private readonly told = new Map<number, string>()
    /** By node, from when to when each board that bears its number was heard. */
    private readonly boards = new Map<number, Map<string, { firstMs: number; lastMs: number }>>()

    constructor(private readonly clock: Clock) {}

    all(): NodeView[] {
        return [...this.byNumber.values()].sort((one, other) => one.node - other.node)
    }

    get(node: number): NodeView | undefined {
        const view = this.byNumber.get(node)
        return view && this.isHeard(view) && this.rivals(node).length === 0 ? view : undefined
    }

    /**
     * Devices of the boards that say they are this node, when there are several: a builder's mistake with the straps. A board that
     * another was exchanged for is not heard again after that one.
     */
    rivals(node: number): string[] {
        const boards = this.boards.get(node)
        if (!boards || boards.size < 2) return []
        const since = this.clock.now() - rivalMs
        const heard = [...boards].filter(([, { lastMs }]) => lastMs >= since)
        const latestFirst = Math.max(...heard.map(([, { firstMs }]) => firstMs))
        const both = heard.filter(([, { lastMs }]) => lastMs >= latestFirst)
        return both.length > 1 ? both.map(([device]) => device) : []
    }

    isHeard(view: NodeView): boolean {
        return this.clock.now() - view.heardMs <= silentAfterMs
    }

    /** The node whose latest beat says it controls `volume`; with two claims, the one of the later epoch. */
    controllerOf(volume: number): NodeView | undefined {
        let best: NodeView | undefined
        for (const view of this.byNumber.values())
            if (this.isHeard(view) && controls(view.beat, volume) && this.rivals(view.node).length === 0)
                if (!best || epochIn(view.beat, volume) > epochIn(best.beat, volume)) best = view
        return best
    }

    /** Volumes that some node is at home of or controls, in order. */
    volumes(): number[] {
        const volumes = new Set<number>()
        for (const { beat } of this.byNumber.values()) {
            volumes.add(beat.node)
            if (beat.flags & beatFlags.controlsPartner) volumes.add(partnerOf(beat.node))
        }
        return [...volumes].sort((one, other) => one - other)
    }

    /** Whether the volume's pair is on the bus. One node of it is enough: while the other is silent its volume is late, not missing. */
    hasVolume(volume: number): boolean {
        return this.byNumber.has(volume) || this.byNumber.has(partnerOf(volume))
    }

    /** Low half of the volume's epoch, 0 when unknown. */
    epochOf(volume: number): number {
        return this.epochLow.get(volume) ?? 0
    }

    learnEpoch(volume: number, epoch: number): void {
        this.epochLow.set(volume, epoch & 0xffff)
    }

    /** A node said something else than its beat. */
    heard(node: number): void {
        const view = this.byNumber.get(node)
        if (!view) return
        const wasSilent = !this.isHeard(view)
        view.heardMs = this.clock.now()
        if (wasSilent) this.tell(view, wasSilent)
    }

    beat(beat: Beat): void {
        if (beat.node >= volumesMax) return
        const known = this.byNumber.get(beat.node)
        const wasSilent = known !== undefined && !this.isHeard(known)
        const view = { node: beat.node, beat, heardMs: this.clock.now() }
        this.byNumber.set(beat.node, view)
        this.noteBoard(beat, view.heardMs)
        this.tell(view, wasSilent)
    }

    onChange(listener: ControllerListener): () => void {
        this.listeners.add(listener)
        return () => void this.listeners.delete(listener)
    }

    private noteBoard({ node, device }: Beat, nowMs: number): void {
        let boards = this.boards.get(node)
        if (!boards) this.boards.set(node, (boards = new Map()))
        const known = boards.get(device)
        if (known && nowMs - known.lastMs <= rivalMs) known.lastMs = nowMs
        else boards.set(device, { firstMs: nowMs, lastMs: nowMs })
        if (boards.size < 2) return
        for (const [other, { lastMs }] of boards) if (nowMs - lastMs > rivalMs) boards.delete(other)
    }

    private tell(view: NodeView, wasSilent: boolean): void {
        for (const volume of [view.node, partnerOf(view.node)]) {
            const controller = this.controllerOf(volume)
            if (!controller) continue
            const epoch = epochIn(controller.beat, volume)
            const state = `${controller.node} ${epoch}`
            const isNews = this.told.get(volume) !== state
            // with each of its beats: a late frame may have taught another since. The partner's says nothing of it
            if (isNews || controller === view) this.learnEpoch(volume, epoch)
            if (!isNews && !(wasSilent && controller === view)) continue
            this.told.set(volume, state)
            for (const listener of [...this.listeners]) listener(volume)
        }
    }
}

export function controls(beat: Beat, volume: number): boolean {
    return (
        (beat.node === volume && (beat.flags & beatFlags.controlsOwn) !== 0) ||
        (partnerOf(beat.node) === volume && (beat.flags & beatFlags.controlsPartner) !== 0)
    )
}

function epochIn(beat: Beat, volume: number): number {
    return beat.node === volume ? beat.ownEpoch : beat.partnerEpoch
}
