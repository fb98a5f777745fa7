// The pair's role logic: one synchronous function from a state and an event to actions. It reads no clock, pin or bus; those come in as
// events and go out as actions, so that it is tested alone.
//
// Promises, for a node and its partner that both run it, whatever happens to power, lines and bus:
// - A node drives an array only while the hardware selects it: its own with its OWN high, the partner's with HOLD high and the
//   partner's OWN seen low after that.
// - HOLD rises before the partner is reset, and a node that boots looks at its partner's HOLD before and after it raises OWN; so one of
//   the two always sees the other's claim.
// - A node that hears nothing at all never takes over for silence.
// docs/PROTOCOL.md, "Roles", has the table of states; an event a state does not list changes nothing.

import { bootGraceMs, busQuietMs, fenceMsMax, resetMs, retryMs, silentMs, tickMs } from "../config"

// roles, as reported by `beat`
export const booting = 0
export const waiting = 1
export const active = 2
export const takingOver = 3
export const takenOver = 4
export const givingBack = 5
/** Its own array cannot be read. */
export const degraded = 6

// events
export const evTick = 0
/** A packet of the partner was heard; `arg` = its role if it was a beat, else -1. */
export const evPartner = 1
/** Some packet was heard. */
export const evBus = 2
export const evHomeMounted = 3
export const evHomeFailed = 4
export const evPartnerMounted = 5
export const evPartnerFailed = 6
export const evPartnerReleased = 7
/** Someone asks for a takeover or giveback. */
export const evTakeover = 8
export const evGiveback = 9

// actions
export const doOwnHigh = 1
export const doOwnLow = 2
export const doHoldHigh = 3
export const doHoldLow = 4
export const doResetLow = 5
export const doResetRelease = 6
export const doMountHome = 7
export const doMountPartner = 8
export const doReleasePartner = 9
/** Stop serving the home volume at once. */
export const doDropHome = 10

// causes of a change of role, as told by the `node` query
export const causeBoot = 1
export const causeLine = 2
export const causeSilence = 3
export const causeAsked = 4
export const causePartnerGone = 5
export const causeFault = 6

// vetoes, docs/PROTOCOL.md "control"
export const vetoNone = 0
export const vetoNotHeard = 1
export const vetoAlready = 2
export const vetoBusy = 3
export const vetoNotWaiting = 4
export const vetoBusSilent = 5
export const vetoFault = 6
export const vetoLines = 7

export class PairState {
    role = booting
    cause = causeBoot
    /** Why the last takeover was given up; a veto. */
    failure = vetoNone
    takeovers = 0
    givebacks = 0
    /** The home volume is mounted and OWN is high. */
    home = false
    partnerOwn = 0
    partnerHold = 0
    /** Partner's role by its last beat, -1 = unknown. */
    partnerRole = -1
    partnerSeenOwning = false
    heardPartnerMs = -100000
    heardBusMs = -100000
    /** When this role or step began. */
    sinceMs = 0
    /** Booting: OWN is up and the second look at HOLD is due. Taking over: the fence worked. */
    stepped = false
    noTakeoverBeforeMs = 0
}

/** Whether the partner was heard recently. */
export function partnerHeard(s: PairState, nowMs: number): boolean {
    return nowMs - s.heardPartnerMs <= silentMs
}

/** @returns why this node may not take over its partner now, or vetoNone */
export function takeoverVeto(s: PairState, nowMs: number): number {
    if (s.role === takenOver) return vetoAlready
    if (s.role !== active) return vetoBusy
    if (nowMs - s.heardBusMs > busQuietMs && s.partnerOwn) return vetoBusSilent
    return vetoNone
}

/** @returns why this node may not give its partner's volume back now, or vetoNone */
export function givebackVeto(s: PairState, nowMs: number): number {
    if (s.role === active) return vetoAlready
    if (s.role !== takenOver) return vetoBusy
    if (!partnerHeard(s, nowMs)) return vetoNotHeard
    if (s.partnerRole !== waiting) return vetoNotWaiting
    return vetoNone
}

function enter(s: PairState, role: number, nowMs: number): void {
    s.role = role
    s.sinceMs = nowMs
    s.stepped = false
}

function beginTakeover(s: PairState, cause: number, nowMs: number, actions: number[]): void {
    enter(s, takingOver, nowMs)
    s.cause = cause
    // the claim before the fence: a partner that boots from here on sees it
    actions.push(doHoldHigh)
    actions.push(doResetLow)
}

function endTakeover(s: PairState, failure: number, nowMs: number, actions: number[]): void {
    actions.push(doResetRelease)
    actions.push(doHoldLow)
    enter(s, active, nowMs)
    s.failure = failure
    s.cause = causeFault
    s.noTakeoverBeforeMs = nowMs + retryMs
}

/** When the next tick can matter although no input changed; the caller may skip ticks before it. */
export function nextTickMs(s: PairState, nowMs: number): number {
    if (s.role === active) return nowMs + 5 * tickMs
    return s.role === takenOver ? nowMs + 20 * tickMs : nowMs
}

/**
 * One event.
 * @param arg tick: partner's OWN + 2 * partner's HOLD; partner: its role or -1
 * @param actions what is to be done, in this order, is added here
 */
export function step(s: PairState, event: number, arg: number, nowMs: number, actions: number[]): void {
    if (event === evPartner) {
        s.heardPartnerMs = nowMs
        s.heardBusMs = nowMs
        if (arg >= 0) s.partnerRole = arg
        return
    }
    if (event === evBus) {
        s.heardBusMs = nowMs
        return
    }
    if (event === evTick) {
        s.partnerOwn = arg & 1
        s.partnerHold = (arg >> 1) & 1
        if (s.partnerOwn) s.partnerSeenOwning = true
    }
    switch (s.role) {
        case booting:
            stepBooting(s, event, nowMs, actions)
            return
        case waiting:
            if (event === evTick && !s.partnerHold) {
                s.cause = s.partnerRole === takenOver || s.partnerRole === -1 ? causePartnerGone : causeAsked
                enter(s, booting, nowMs)
            }
            return
        case active:
            stepActive(s, event, nowMs, actions)
            return
        case takingOver:
            stepTakingOver(s, event, nowMs, actions)
            return
        case takenOver:
            if (event === evGiveback && givebackVeto(s, nowMs) === vetoNone) {
                enter(s, givingBack, nowMs)
                s.cause = causeAsked
                actions.push(doReleasePartner)
            }
            return
        case givingBack:
            if (event === evPartnerReleased) {
                s.givebacks++
                s.partnerSeenOwning = false
                actions.push(doHoldLow)
                enter(s, active, nowMs)
            }
            return
        case degraded:
            if (event === evTick && nowMs - s.sinceMs > retryMs && !s.partnerHold) enter(s, booting, nowMs)
            return
    }
}

function stepBooting(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTick) {
        if (s.partnerHold) {
            if (s.stepped) {
                actions.push(doDropHome)
                actions.push(doOwnLow)
            }
            enter(s, waiting, nowMs)
        } else if (!s.stepped) {
            s.stepped = true
            s.sinceMs = nowMs
            actions.push(doOwnHigh)
        } else if (s.sinceMs >= 0 && nowMs - s.sinceMs >= tickMs) {
            // the second look: HOLD is still low with OWN up, so whoever claims this array from here on resets this node first
            s.sinceMs = -1
            actions.push(doMountHome)
        }
    } else if (event === evHomeMounted) {
        s.home = true
        enter(s, active, nowMs)
    } else if (event === evHomeFailed) {
        actions.push(doOwnLow)
        s.home = false
        s.cause = causeFault
        enter(s, degraded, nowMs)
    }
}

function stepActive(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTakeover) {
        if (takeoverVeto(s, nowMs) === vetoNone) beginTakeover(s, causeAsked, nowMs, actions)
        return
    }
    if (event !== evTick || nowMs < s.noTakeoverBeforeMs) return
    if (!s.partnerOwn) {
        // it drives nothing: dead, in reset, or not up yet
        if (s.partnerSeenOwning || nowMs - s.sinceMs > bootGraceMs) beginTakeover(s, causeLine, nowMs, actions)
    } else if (!partnerHeard(s, nowMs) && nowMs - s.heardBusMs <= busQuietMs && nowMs - s.sinceMs > bootGraceMs)
        beginTakeover(s, causeSilence, nowMs, actions)
}

function stepTakingOver(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTick && !s.stepped) {
        if (s.partnerOwn) {
            if (nowMs - s.sinceMs > fenceMsMax) endTakeover(s, vetoLines, nowMs, actions)
        } else if (nowMs - s.sinceMs >= resetMs) {
            s.stepped = true
            actions.push(doResetRelease)
            actions.push(doMountPartner)
        }
    } else if (event === evPartnerMounted) {
        s.takeovers++
        s.failure = vetoNone
        enter(s, takenOver, nowMs)
    } else if (event === evPartnerFailed) endTakeover(s, vetoFault, nowMs, actions)
}
