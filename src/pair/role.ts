// The pair's role logic: one synchronous function from a state and an event to actions. It reads no clock, pin or bus; those come in as
// events and go out as actions, so that it is tested alone.
//
// Promises, for a node and its partner that both run it, whatever happens to power, lines and bus:
// - A node drives an array only while the hardware selects it: its own with its OWN high, the partner's with HOLD high and the
//   partner's OWN seen low after that.
// - A takeover that someone asks for resets nobody: the partner sees HOLD, writes down what it has, lets go and waits. Only when it is silent,
//   or is to be forced, is it fenced like a dead one.
// - HOLD rises before the partner is reset, and a node that boots looks at its partner's HOLD before and after it raises OWN; so one of
//   the two always sees the other's claim.
// - A node takes over for silence only when it heard somebody else while its partner was silent already; so one that is cut off from
//   the bus never does.
// - What the worker was told to do is over, one way or the other, before it is told to do the same again: a mount that began before a
//   change of control never counts after it.
// docs/PROTOCOL.md, "Roles", has the table of states; an event a state does not list changes nothing.

import {
    bootGraceMs,
    busQuietMs,
    changeMsMax,
    confirmTicks,
    faultRetryMs,
    fenceMsMax,
    givebackMs,
    givebackWindowMs,
    givebacksMax,
    holderMsMax,
    hungMs,
    letGoMs,
    letGoMsMax,
    resetMs,
    retryMs,
    silentMs,
    wordMsMax,
    tickMs,
} from "../config"

// roles, as reported by `beat`
export const booting = 0
export const waiting = 1
export const active = 2
export const takingOver = 3
export const takenOver = 4
export const givingBack = 5
/** Its own array cannot be read. */
export const degraded = 6
/** The partner has asked for its array: writes it down, then waits. */
export const lettingGo = 7

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
/** Someone asks for a takeover or giveback. Takeover: `arg` = 1 to fence the partner by its reset. */
export const evTakeover = 8
export const evGiveback = 9
export const evHomeReleased = 10
/** Someone sets the mode: `arg`. */
export const evMode = 11
/** The partner's beat tells the pair's mode: `arg`. */
export const evPartnerMode = 12

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
/** Stop serving the partner's volume at once. */
export const doDropPartner = 11
export const doReleaseHome = 12

// modes of a pair
/** Each node serves its own volume. */
export const activeActive = 0
/** One node serves both volumes, and keeps them. */
export const activeStandby = 1

// causes of a change of role, as told by the `node` query
export const causeBoot = 1
export const causeLine = 2
export const causeSilence = 3
export const causeAsked = 4
export const causePartnerGone = 5
export const causeFault = 6
/** A giveback nobody asked for: the partner has been waiting for long enough. */
export const causeSettled = 7

// vetoes, docs/PROTOCOL.md "control"
export const vetoNone = 0
export const vetoNotHeard = 1
export const vetoAlready = 2
export const vetoBusy = 3
export const vetoNotWaiting = 4
export const vetoBusSilent = 5
export const vetoFault = 6
export const vetoLines = 7
/** The partner does not let go of its array. */
export const vetoHeld = 8

export class PairState {
    role = booting
    cause = causeBoot
    /** Why the last takeover was given up; a veto. */
    failure = vetoNone
    takeovers = 0
    givebacks = 0
    /** The home volume is mounted and OWN is high. */
    home = false
    /** HOLD is high. */
    holding = false
    /** The partner's RESET is low. */
    resetting = false
    /** The worker mounts the home volume. */
    homeBusy = false
    /** The worker mounts or releases the partner's volume. */
    partnerBusy = false
    partnerOwn = 0
    partnerHold = 0
    /** Partner's role by its last beat, -1 = unknown. */
    partnerRole = -1
    partnerSeenOwning = false
    /** When the partner's OWN was seen to rise, and to fall. */
    partnerUpMs = 0
    partnerLowMs = 0
    heardPartnerMs = -100000
    heardBusMs = -100000
    /** Ticks since others were heard while the partner was silent; -1 = they were not. */
    aloneTicks = -1
    /** When this role or step began. */
    sinceMs = 0
    /** Booting: OWN is up and the second look at HOLD is due. Taking over: the fence worked. */
    stepped = false
    noTakeoverBeforeMs = 0
    mode = activeActive
    /** Since when the partner's HOLD is up. */
    partnerHoldMs = 0
    /** Since when the partner says that it waits, neither silent nor reset. */
    partnerWaitsMs = 0
    /** Taking over: the partner is to let go by itself; its RESET is not pulled. */
    asking = false
    /** Givebacks of this node's own accord, in the window that began then. */
    ownGivebacks = 0
    windowMs = 0
}

/** Whether the partner was heard recently. */
export function partnerHeard(s: PairState, nowMs: number): boolean {
    return nowMs - s.heardPartnerMs <= silentMs
}

/** Whether the partner is silent on a bus that is not. */
function partnerSilent(s: PairState, nowMs: number): boolean {
    return s.aloneTicks >= confirmTicks && nowMs - s.heardBusMs <= busQuietMs
}

/** @returns all that keeps this node from taking over its partner now: bit n for veto n; 0 = nothing */
export function takeoverVetoes(s: PairState, nowMs: number): number {
    if (s.role === takenOver) return 1 << vetoAlready
    let vetoes = 0
    if (s.role !== active || s.partnerBusy) vetoes = 1 << vetoBusy
    if (nowMs - s.heardBusMs > busQuietMs) if (s.partnerOwn) vetoes |= 1 << vetoBusSilent
    return vetoes
}

/** @returns all that keeps this node from giving its partner's volume back now: bit n for veto n; 0 = nothing */
export function givebackVetoes(s: PairState, nowMs: number): number {
    if (s.role === active) return 1 << vetoAlready
    if (s.role !== takenOver) return 1 << vetoBusy
    let vetoes = 0
    if (!partnerHeard(s, nowMs)) vetoes = 1 << vetoNotHeard
    if (s.partnerRole !== waiting) vetoes |= 1 << vetoNotWaiting
    return vetoes
}

/** @returns the veto with the lowest number of these bits, or vetoNone */
export function firstVeto(vetoes: number): number {
    for (let veto = vetoNotHeard; veto <= vetoHeld; veto++) if (vetoes & (1 << veto)) return veto
    return vetoNone
}

/** When this node gives its partner's volume back of its own accord; -1 = not before it is asked. */
export function givebackDueMs(s: PairState, nowMs: number): number {
    if (s.role !== takenOver) return -1
    if (s.mode !== activeActive) return -1
    if (s.cause === causeAsked) return -1
    if (givebackVetoes(s, nowMs)) return -1
    const due = s.partnerWaitsMs + givebackMs
    if (s.ownGivebacks < givebacksMax) return due
    const windowEnd = s.windowMs + givebackWindowMs
    return due > windowEnd ? due : windowEnd
}

function enter(s: PairState, role: number, nowMs: number): void {
    s.role = role
    s.sinceMs = nowMs
    s.stepped = false
}

function lowerHold(s: PairState, actions: number[]): void {
    if (s.holding) actions.push(doHoldLow)
    s.holding = false
}

function beginTakeover(s: PairState, cause: number, nowMs: number, actions: number[]): void {
    claim(s, cause, nowMs, actions)
    pullReset(s, actions)
}

function pullReset(s: PairState, actions: number[]): void {
    s.resetting = true
    actions.push(doResetLow)
}

function releaseReset(s: PairState, actions: number[]): void {
    if (s.resetting) actions.push(doResetRelease)
    s.resetting = false
}

function claim(s: PairState, cause: number, nowMs: number, actions: number[]): void {
    enter(s, takingOver, nowMs)
    s.cause = cause
    s.asking = false
    s.partnerWaitsMs = nowMs
    // the claim before the fence: a partner that boots from here on sees it
    s.holding = true
    actions.push(doHoldHigh)
}

/** The partner's array is no more this node's, and its service ended before the claim. */
function dropPartner(s: PairState, actions: number[]): void {
    if (s.role !== takingOver || s.stepped) actions.push(doDropPartner)
    releaseReset(s, actions)
    lowerHold(s, actions)
}

function endTakeover(s: PairState, failure: number, nowMs: number, actions: number[]): void {
    dropPartner(s, actions)
    enter(s, s.home ? active : waiting, nowMs)
    s.failure = failure
    s.cause = causeFault
    const isHopeless = failure === vetoFault && s.partnerRole === degraded
    s.noTakeoverBeforeMs = nowMs + (isHopeless ? faultRetryMs : retryMs)
}

/** The home volume cannot be used: the partner may try, and sees OWN fall. */
function loseHome(s: PairState, nowMs: number, actions: number[]): void {
    if (s.role === takingOver || s.role === takenOver || s.role === givingBack) dropPartner(s, actions)
    else lowerHold(s, actions)
    actions.push(doDropHome)
    actions.push(doOwnLow)
    s.home = false
    s.cause = causeFault
    s.failure = vetoFault
    enter(s, degraded, nowMs)
}

/** When the next tick can matter although no input changed; the caller may skip ticks before it. */
export function nextTickMs(s: PairState, nowMs: number): number {
    if (s.role === active) return s.aloneTicks < 0 && !s.partnerHold ? nowMs + 5 * tickMs : nowMs
    return s.role === takenOver && !s.resetting ? nowMs + 20 * tickMs : nowMs
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
        s.aloneTicks = -1
        if (arg >= 0) {
            if (arg === waiting) if (s.partnerRole !== waiting) s.partnerWaitsMs = nowMs
            s.partnerRole = arg
        }
        // whatever made the last takeover fail is over
        if (arg === active) {
            s.noTakeoverBeforeMs = 0
            if (s.role === active) s.mode = activeActive
        }
        return
    }
    if (event === evBus) {
        s.heardBusMs = nowMs
        if (s.aloneTicks < 0) if (nowMs - s.heardPartnerMs >= silentMs) s.aloneTicks = 0
        return
    }
    if (event === evMode) {
        s.mode = arg
        // what was asked for is not to be kept any more
        if (arg === activeActive) if (s.cause === causeAsked) s.cause = causeSettled
        return
    }
    if (event === evPartnerMode) {
        // who serves both volumes decides; a node that has just come up knows nothing yet
        if (s.role === waiting || s.role === booting) s.mode = arg
        return
    }
    if (event === evTick) {
        if (s.aloneTicks >= 0) s.aloneTicks++
        // what it said before is old when it speaks again
        if (!partnerHeard(s, nowMs)) s.partnerWaitsMs = nowMs
        if (!(arg & 1)) {
            if (s.partnerOwn) s.partnerLowMs = nowMs
        } else if (!s.partnerOwn) s.partnerUpMs = nowMs
        if (arg & 2) if (!s.partnerHold) s.partnerHoldMs = nowMs
        s.partnerOwn = arg & 1
        s.partnerHold = (arg >> 1) & 1
        if (s.partnerOwn) s.partnerSeenOwning = true
    } else if (event === evHomeMounted || event === evHomeFailed) {
        s.homeBusy = false
        if (event === evHomeFailed)
            if (s.home) {
                loseHome(s, nowMs, actions)
                return
            }
    } else if (event === evPartnerMounted || event === evPartnerFailed || event === evPartnerReleased)
        s.partnerBusy = false
    switch (s.role) {
        case booting:
            stepBooting(s, event, nowMs, actions)
            return
        case waiting:
            if (event === evTick) tickWaiting(s, nowMs, actions)
            return
        case active:
            stepActive(s, event, arg, nowMs, actions)
            return
        case takingOver:
            stepTakingOver(s, event, nowMs, actions)
            return
        case takenOver:
            stepTakenOver(s, event, nowMs, actions)
            return
        case givingBack:
            stepGivingBack(s, event, nowMs, actions)
            return
        case lettingGo:
            stepLettingGo(s, event, nowMs, actions)
            return
        case degraded:
            if (event !== evTick) return
            if (s.homeBusy) return
            if (s.partnerHold) enter(s, waiting, nowMs)
            else if (nowMs - s.sinceMs > retryMs) enter(s, booting, nowMs)
            return
    }
}

function stepBooting(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTick) {
        if (s.homeBusy) {
            // a claim that comes now is seen when the mount has ended: a transfer may be under way, and OWN would cut it off
            if (nowMs - s.sinceMs > changeMsMax) loseHome(s, nowMs, actions)
        } else if (s.partnerHold) {
            if (s.stepped) {
                actions.push(doDropHome)
                actions.push(doOwnLow)
            }
            lowerHold(s, actions)
            enter(s, waiting, nowMs)
        } else if (!s.stepped) {
            s.stepped = true
            s.sinceMs = nowMs
            actions.push(doOwnHigh)
        } else if (nowMs - s.sinceMs >= tickMs) {
            // the second look: HOLD is still low with OWN up, so whoever claims this array from here on sees OWN, and waits or resets this node
            s.homeBusy = true
            actions.push(doMountHome)
        }
    } else if (!s.stepped) return
    else if (event === evHomeMounted) {
        s.home = true
        enter(s, active, nowMs)
    } else if (event === evHomeFailed) loseHome(s, nowMs, actions)
}

function tickWaiting(s: PairState, nowMs: number, actions: number[]): void {
    if (!s.partnerHold) {
        // the last mount must have ended, without OWN: with it, it would go on among what the holder changed
        if (s.homeBusy) return
        s.cause = causePartnerGone
        enter(s, booting, nowMs)
        return
    }
    if (!partnerSilent(s, nowMs)) return
    if (nowMs < s.noTakeoverBeforeMs) return
    if (s.homeBusy) return
    // the holder hangs with its lines up: neither volume is served. One that was never heard may be one that only this node cannot hear
    const patience = s.heardPartnerMs >= 0 ? bootGraceMs : holderMsMax
    if (nowMs - s.sinceMs > patience) beginTakeover(s, causeSilence, nowMs, actions)
}

function stepActive(s: PairState, event: number, arg: number, nowMs: number, actions: number[]): void {
    if (event === evTakeover) {
        if (takeoverVetoes(s, nowMs)) return
        if (arg || !s.partnerOwn || !partnerHeard(s, nowMs)) beginTakeover(s, causeAsked, nowMs, actions)
        else {
            claim(s, causeAsked, nowMs, actions)
            s.asking = true
        }
        return
    }
    if (event !== evTick) return
    if (s.partnerHold)
        if (nowMs - s.partnerHoldMs >= letGoMs)
            if (s.partnerOwn) {
                // the partner asks for this node's array. With its own OWN low it could not serve both
                lowerHold(s, actions)
                enter(s, lettingGo, nowMs)
                s.cause = causeAsked
                actions.push(doReleaseHome)
                return
            }
    // a claim kept from before this node booted its home again, and the partner drives its array
    if (s.partnerOwn) lowerHold(s, actions)
    if (nowMs < s.noTakeoverBeforeMs) return
    if (s.partnerBusy) return
    const isGrace = nowMs - s.sinceMs <= bootGraceMs
    if (!s.partnerOwn) {
        // it drives nothing: dead, in reset, or not up yet
        if (s.partnerSeenOwning || !isGrace) beginTakeover(s, causeLine, nowMs, actions)
    } else if (!isGrace)
        if (nowMs - s.partnerUpMs > bootGraceMs)
            if (partnerSilent(s, nowMs)) beginTakeover(s, causeSilence, nowMs, actions)
}

function stepTakingOver(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (!s.stepped) {
        if (event !== evTick) return
        if (s.asking && s.partnerOwn) {
            // both ask each other: neither gets it
            if (s.partnerHold) endTakeover(s, vetoBusy, nowMs, actions)
            else if (nowMs - s.sinceMs > letGoMsMax) endTakeover(s, vetoHeld, nowMs, actions)
            else if (partnerSilent(s, nowMs)) beginTakeover(s, causeSilence, nowMs, actions)
        } else if (s.asking && s.partnerRole !== waiting) {
            // its wire may be broken, and it may still drive: its word, or the fence
            if (nowMs - s.partnerLowMs > wordMsMax) beginTakeover(s, causeAsked, nowMs, actions)
        } else if (s.partnerOwn) {
            if (nowMs - s.sinceMs > fenceMsMax) endTakeover(s, vetoLines, nowMs, actions)
        } else if (nowMs - s.sinceMs >= resetMs) {
            releaseReset(s, actions)
            if (s.home) {
                s.stepped = true
                s.partnerBusy = true
                actions.push(doMountPartner)
            } else enter(s, booting, nowMs) // its own array first; the claim stands
        }
    } else if (event === evTick) {
        if (s.partnerOwn) endTakeover(s, vetoLines, nowMs, actions)
        else if (nowMs - s.sinceMs > changeMsMax) endTakeover(s, vetoFault, nowMs, actions)
    } else if (event === evPartnerMounted) {
        s.takeovers++
        s.failure = vetoNone
        enter(s, takenOver, nowMs)
    } else if (event === evPartnerFailed) endTakeover(s, vetoFault, nowMs, actions)
}

function stepTakenOver(s: PairState, event: number, nowMs: number, actions: number[]): void {
    releaseReset(s, actions)
    if (event === evTick) {
        // it did not see HOLD, and the hardware gave it its array
        if (s.partnerOwn) endTakeover(s, vetoLines, nowMs, actions)
        else if (nowMs - s.heardPartnerMs > hungMs) {
            // it may hang, and nobody else would wake it; one without power does not mind
            if (nowMs - s.sinceMs <= hungMs) return
            s.sinceMs = nowMs
            pullReset(s, actions)
        } else {
            const due = givebackDueMs(s, nowMs)
            if (due < 0) return
            if (nowMs < due) return
            if (nowMs - s.windowMs > givebackWindowMs || s.ownGivebacks === 0) {
                s.windowMs = nowMs
                s.ownGivebacks = 0
            }
            s.ownGivebacks++
            beginGiveback(s, causeSettled, nowMs, actions)
        }
    } else if (event === evPartnerFailed) endTakeover(s, vetoFault, nowMs, actions)
    else if (event === evGiveback)
        if (!givebackVetoes(s, nowMs)) {
            s.mode = activeActive
            beginGiveback(s, causeAsked, nowMs, actions)
        }
}

function beginGiveback(s: PairState, cause: number, nowMs: number, actions: number[]): void {
    enter(s, givingBack, nowMs)
    s.cause = cause
    s.partnerBusy = true
    actions.push(doReleasePartner)
}

function stepLettingGo(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTick) {
        if (nowMs - s.sinceMs <= changeMsMax) return
    } else if (event !== evHomeReleased) return
    actions.push(doDropHome)
    actions.push(doOwnLow)
    s.home = false
    enter(s, waiting, nowMs)
}

function stepGivingBack(s: PairState, event: number, nowMs: number, actions: number[]): void {
    if (event === evTick) {
        if (!s.partnerOwn) if (nowMs - s.sinceMs <= changeMsMax) return
    } else if (event !== evPartnerReleased) return
    s.givebacks++
    s.partnerSeenOwning = false
    dropPartner(s, actions)
    enter(s, active, nowMs)
}
