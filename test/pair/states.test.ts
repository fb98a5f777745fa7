// The table of states in docs/PROTOCOL.md, "Roles", row by row: state and event in, state and actions out.

import assert from "node:assert/strict"
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
    tickMs,
    wordMsMax,
} from "../../src/config"
import * as r from "../../src/pair/role"
import { roleNames } from "./pair-world"

const now = 200_000
const own = 1
const hold = 2

type Setup = Partial<r.PairState>

/** A node that has been in this role for long, hears its partner, and whose partner does what fits the role. */
function stateOf(role: number, setup: Setup = {}): r.PairState {
    const s = new r.PairState()
    s.role = role
    s.sinceMs = now - 100_000
    s.heardPartnerMs = s.heardBusMs = now - 10
    s.partnerRole = r.active
    s.home = [r.active, r.takingOver, r.takenOver, r.givingBack].includes(role)
    s.holding = [r.takingOver, r.takenOver, r.givingBack].includes(role)
    s.stepped = role === r.takingOver
    s.partnerOwn = role === r.active ? 1 : 0
    s.partnerHold = role === r.waiting ? 1 : 0
    s.partnerBusy = role === r.givingBack
    if (role === r.givingBack || role === r.takingOver) s.sinceMs = now - 50
    if (role === r.takenOver) s.partnerRole = r.waiting
    if (role === r.takenOver) s.partnerWaitsMs = now - 20
    if (role === r.lettingGo) Object.assign(s, claimed, { home: true, sinceMs: now - 50 })
    return Object.assign(s, setup)
}

const silent: Setup = { heardPartnerMs: now - 10_000, heardBusMs: now - 100, aloneTicks: confirmTicks }
const boots = { home: false, stepped: false, partnerOwn: 0 }
const claimed = { partnerOwn: 1, partnerHold: 1, partnerHoldMs: now - letGoMs }
const asking = { asking: true, stepped: false, partnerOwn: 1 }
const fenceDue = { stepped: false, partnerOwn: 1, resetting: true }

type Row = [title: string, role: number, setup: Setup, event: number, arg: number, next: number, actions: number[]]

const rows: Row[] = [
    // booting
    ["booting, first look, HOLD low", r.booting, boots, r.evTick, 0, r.booting, [r.doOwnHigh]],
    [
        "booting, first look, HOLD high: the partner has the array [R31]",
        r.booting,
        boots,
        r.evTick,
        hold,
        r.waiting,
        [],
    ],
    [
        "booting, second look too early",
        r.booting,
        { stepped: true, sinceMs: now - tickMs + 1 },
        r.evTick,
        own,
        r.booting,
        [],
    ],
    [
        "booting, second look, HOLD low",
        r.booting,
        { stepped: true, sinceMs: now - tickMs },
        r.evTick,
        own,
        r.booting,
        [r.doMountHome],
    ],
    [
        "booting, second look, HOLD high: both claimed, and this node yields [R31]",
        r.booting,
        { stepped: true, sinceMs: now - tickMs },
        r.evTick,
        own + hold,
        r.waiting,
        [r.doDropHome, r.doOwnLow],
    ],
    [
        "booting, mounting, nothing new",
        r.booting,
        { stepped: true, sinceMs: now - 900, homeBusy: true },
        r.evTick,
        own,
        r.booting,
        [],
    ],
    [
        "booting, mounting, HOLD rises: OWN stays up, a transfer may be under way [R5] [R31]",
        r.booting,
        { stepped: true, sinceMs: now - 900, homeBusy: true },
        r.evTick,
        own + hold,
        r.booting,
        [],
    ],
    ["booting, mounted", r.booting, { stepped: true, homeBusy: true }, r.evHomeMounted, 0, r.active, []],
    [
        "booting, the array cannot be read",
        r.booting,
        { stepped: true, homeBusy: true },
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropHome, r.doOwnLow],
    ],
    [
        "booting, the mount never ends",
        r.booting,
        { stepped: true, homeBusy: true, sinceMs: now - changeMsMax - 1 },
        r.evTick,
        own,
        r.degraded,
        [r.doDropHome, r.doOwnLow],
    ],
    [
        "booting with a claim kept, the array cannot be read: the claim ends",
        r.booting,
        { stepped: true, homeBusy: true, holding: true },
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    [
        "booting, not looked yet, a mount's end from before",
        r.booting,
        { ...boots, homeBusy: true },
        r.evHomeMounted,
        0,
        r.booting,
        [],
    ],
    [
        "booting, mounting, the last moment of patience",
        r.booting,
        { stepped: true, homeBusy: true, sinceMs: now - changeMsMax },
        r.evTick,
        own,
        r.booting,
        [],
    ],
    [
        "booting with a claim kept, HOLD high: the claim ends",
        r.booting,
        { ...boots, holding: true },
        r.evTick,
        hold,
        r.waiting,
        [r.doHoldLow],
    ],
    // waiting
    ["waiting, HOLD stays", r.waiting, {}, r.evTick, hold, r.waiting, []],
    ["waiting, HOLD falls: given back, or the holder died [R9]", r.waiting, {}, r.evTick, 0, r.booting, []],
    [
        "waiting, HOLD falls, but the last mount has not ended [R31]",
        r.waiting,
        { homeBusy: true },
        r.evTick,
        0,
        r.waiting,
        [],
    ],
    [
        "waiting, the holder falls silent while others speak: it hangs [R9] [R32]",
        r.waiting,
        { ...silent },
        r.evTick,
        own + hold,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "waiting, the holder is silent, and so is everyone [R31]",
        r.waiting,
        { ...silent, heardBusMs: now - busQuietMs - 1 },
        r.evTick,
        own + hold,
        r.waiting,
        [],
    ],
    [
        "waiting, holder silent, just booted",
        r.waiting,
        { ...silent, sinceMs: now - bootGraceMs },
        r.evTick,
        own + hold,
        r.waiting,
        [],
    ],
    [
        "waiting, holder never heard: patience",
        r.waiting,
        { ...silent, heardPartnerMs: -100000, sinceMs: now - holderMsMax },
        r.evTick,
        own + hold,
        r.waiting,
        [],
    ],
    [
        "waiting, holder never heard, patience is over",
        r.waiting,
        { ...silent, heardPartnerMs: -100000, sinceMs: now - holderMsMax - 1 },
        r.evTick,
        own + hold,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "waiting, holder silent, fence failed just now",
        r.waiting,
        { ...silent, noTakeoverBeforeMs: now + 1 },
        r.evTick,
        own + hold,
        r.waiting,
        [],
    ],
    // active
    ["active, all is well", r.active, {}, r.evTick, own, r.active, []],
    [
        "active, OWN of the partner falls [R32]",
        r.active,
        { partnerSeenOwning: true },
        r.evTick,
        0,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    ["active, the partner is not up yet", r.active, { sinceMs: now - bootGraceMs }, r.evTick, 0, r.active, []],
    ["active, the partner never comes up [R9]", r.active, {}, r.evTick, 0, r.takingOver, [r.doHoldHigh, r.doResetLow]],
    [
        "active, OWN low, the last takeover failed just now",
        r.active,
        { noTakeoverBeforeMs: now + 1 },
        r.evTick,
        0,
        r.active,
        [],
    ],
    [
        "active, OWN low, the worker is not done with the last change",
        r.active,
        { partnerBusy: true },
        r.evTick,
        0,
        r.active,
        [],
    ],
    [
        "active, only the partner is silent: it hangs [R32]",
        r.active,
        { ...silent },
        r.evTick,
        own,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "active, partner silent, not confirmed",
        r.active,
        { ...silent, aloneTicks: confirmTicks - 2 },
        r.evTick,
        own,
        r.active,
        [],
    ],
    [
        "active, silence after the last word of anyone: cut off [R31]",
        r.active,
        { heardPartnerMs: now - 500, heardBusMs: now - 450 },
        r.evTick,
        own,
        r.active,
        [],
    ],
    [
        "active, partner silent, the bus too since [R31]",
        r.active,
        { ...silent, heardBusMs: now - busQuietMs - 1 },
        r.evTick,
        own,
        r.active,
        [],
    ],
    [
        "active, partner silent, this node just came up",
        r.active,
        { ...silent, sinceMs: now - bootGraceMs },
        r.evTick,
        own,
        r.active,
        [],
    ],
    [
        "active, partner silent, it just came up",
        r.active,
        { ...silent, partnerUpMs: now - bootGraceMs },
        r.evTick,
        own,
        r.active,
        [],
    ],
    [
        "active with a claim kept, and the partner drives its array",
        r.active,
        { holding: true },
        r.evTick,
        own,
        r.active,
        [r.doHoldLow],
    ],
    [
        "active, asked: the partner is to let go, nobody is reset [R15]",
        r.active,
        {},
        r.evTakeover,
        0,
        r.takingOver,
        [r.doHoldHigh],
    ],
    ["active, asked to force it [R15]", r.active, {}, r.evTakeover, 1, r.takingOver, [r.doHoldHigh, r.doResetLow]],
    [
        "active, asked, the partner is silent: fenced",
        r.active,
        silent,
        r.evTakeover,
        0,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "active, asked, the partner drives nothing: fenced",
        r.active,
        { partnerOwn: 0 },
        r.evTakeover,
        0,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "active, the partner claims this array: lets go [R15]",
        r.active,
        claimed,
        r.evTick,
        own + hold,
        r.lettingGo,
        [r.doReleaseHome],
    ],
    [
        "active, the partner's claim is too short: a glitch [R31]",
        r.active,
        { ...claimed, partnerHoldMs: now - letGoMs + 1 },
        r.evTick,
        own + hold,
        r.active,
        [],
    ],
    ["active, HOLD rises just now [R31]", r.active, { ...claimed, partnerHold: 0 }, r.evTick, own + hold, r.active, []],
    ["letting go, not written down yet", r.lettingGo, {}, r.evTick, own + hold, r.lettingGo, []],
    [
        "letting go, written down: OWN low, then waits [R15]",
        r.lettingGo,
        {},
        r.evHomeReleased,
        0,
        r.waiting,
        [r.doDropHome, r.doOwnLow],
    ],
    [
        "letting go, it never ends: as a power cut [R15]",
        r.lettingGo,
        { sinceMs: now - changeMsMax - 1 },
        r.evTick,
        own + hold,
        r.waiting,
        [r.doDropHome, r.doOwnLow],
    ],
    ["letting go, the home array fails", r.lettingGo, {}, r.evHomeFailed, 0, r.degraded, [r.doDropHome, r.doOwnLow]],
    ["taking over, asking, OWN still high", r.takingOver, asking, r.evTick, own, r.takingOver, []],
    [
        "taking over, asking, OWN low, and the partner says that it waits: mounts, and RESET was never pulled [R15]",
        r.takingOver,
        { ...asking, partnerOwn: 0, partnerRole: r.waiting },
        r.evTick,
        0,
        r.takingOver,
        [r.doMountPartner],
    ],
    [
        "taking over, asking, OWN just fell and the partner has not said why: its wire may be broken [R31]",
        r.takingOver,
        { ...asking, partnerOwn: 0, partnerRole: r.lettingGo, partnerLowMs: now - wordMsMax },
        r.evTick,
        0,
        r.takingOver,
        [],
    ],
    [
        "taking over, asking, OWN low for long and no word of the partner: fenced [R31]",
        r.takingOver,
        { ...asking, partnerOwn: 0, partnerRole: r.lettingGo, partnerLowMs: now - wordMsMax - 1 },
        r.evTick,
        0,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "taking over, asking, the partner asks, too: neither gets it [R31]",
        r.takingOver,
        asking,
        r.evTick,
        own + hold,
        r.active,
        [r.doHoldLow],
    ],
    [
        "taking over, asking, the partner does not let go [R15]",
        r.takingOver,
        { ...asking, sinceMs: now - letGoMsMax - 1 },
        r.evTick,
        own,
        r.active,
        [r.doHoldLow],
    ],
    [
        "taking over, asking, the partner falls silent: fenced [R9]",
        r.takingOver,
        { ...asking, ...silent },
        r.evTick,
        own,
        r.takingOver,
        [r.doHoldHigh, r.doResetLow],
    ],
    [
        "taken over for its death, the partner has waited long enough [R32]",
        r.takenOver,
        { cause: r.causeLine, partnerWaitsMs: now - givebackMs },
        r.evTick,
        0,
        r.givingBack,
        [r.doReleasePartner],
    ],
    [
        "taken over for its death, the partner has not waited long enough [R32]",
        r.takenOver,
        { cause: r.causeLine, partnerWaitsMs: now - givebackMs + 1 },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over because asked: kept until asked [R15]",
        r.takenOver,
        { cause: r.causeAsked, partnerWaitsMs: 0 },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, active/standby: kept [R10]",
        r.takenOver,
        { cause: r.causeLine, mode: r.activeStandby, partnerWaitsMs: 0 },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, the partner is not heard: no giveback [R32]",
        r.takenOver,
        { cause: r.causeLine, partnerWaitsMs: 0, heardPartnerMs: now - silentMs - 1 },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over for the fourth time in the window: ping-pong ends [R32]",
        r.takenOver,
        {
            cause: r.causeLine,
            partnerWaitsMs: now - givebackMs,
            ownGivebacks: givebacksMax,
            windowMs: now - givebackWindowMs + 1,
        },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, the window is over: given back again [R32]",
        r.takenOver,
        {
            cause: r.causeLine,
            partnerWaitsMs: now - givebackMs,
            ownGivebacks: givebacksMax,
            windowMs: now - givebackWindowMs,
        },
        r.evTick,
        0,
        r.givingBack,
        [r.doReleasePartner],
    ],
    [
        "active, asked, cut off from the bus: vetoed [R31]",
        r.active,
        { heardBusMs: now - busQuietMs - 1 },
        r.evTakeover,
        0,
        r.active,
        [],
    ],
    ["active, asked, worker not done: vetoed", r.active, { partnerBusy: true }, r.evTakeover, 0, r.active, []],
    [
        "active, the home array fails at run time",
        r.active,
        {},
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropHome, r.doOwnLow],
    ],
    // takingOver, fence
    ["fence, OWN still high [R31]", r.takingOver, fenceDue, r.evTick, own, r.takingOver, []],
    [
        "fence, OWN low too early",
        r.takingOver,
        { ...fenceDue, sinceMs: now - resetMs + 1 },
        r.evTick,
        0,
        r.takingOver,
        [],
    ],
    [
        "fence, OWN low: it worked",
        r.takingOver,
        fenceDue,
        r.evTick,
        0,
        r.takingOver,
        [r.doResetRelease, r.doMountPartner],
    ],
    [
        "fence, OWN never falls: the claim ends [R31]",
        r.takingOver,
        { ...fenceDue, sinceMs: now - fenceMsMax - 1 },
        r.evTick,
        own,
        r.active,
        [r.doResetRelease, r.doHoldLow],
    ],
    [
        "fence from waiting worked: home first, the claim stands",
        r.takingOver,
        { ...fenceDue, home: false },
        r.evTick,
        0,
        r.booting,
        [r.doResetRelease],
    ],
    [
        "fence from waiting, OWN never falls",
        r.takingOver,
        { ...fenceDue, home: false, sinceMs: now - fenceMsMax - 1 },
        r.evTick,
        own,
        r.waiting,
        [r.doResetRelease, r.doHoldLow],
    ],
    ["fence, a mount's end from before", r.takingOver, fenceDue, r.evPartnerMounted, 0, r.takingOver, []],
    ["fence, a mount's failure from before", r.takingOver, fenceDue, r.evPartnerFailed, 0, r.takingOver, []],
    [
        "fence, the home array fails",
        r.takingOver,
        fenceDue,
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doResetRelease, r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    [
        "fence, OWN high, the last moment of patience",
        r.takingOver,
        { ...fenceDue, sinceMs: now - fenceMsMax },
        r.evTick,
        own,
        r.takingOver,
        [],
    ],
    [
        "fence, OWN low, the pulse was just long enough",
        r.takingOver,
        { ...fenceDue, sinceMs: now - resetMs },
        r.evTick,
        0,
        r.takingOver,
        [r.doResetRelease, r.doMountPartner],
    ],
    // takingOver, mounting
    [
        "mounting the partner's, the last moment of patience",
        r.takingOver,
        { sinceMs: now - changeMsMax },
        r.evTick,
        0,
        r.takingOver,
        [],
    ],
    ["mounting the partner's, nothing new", r.takingOver, {}, r.evTick, 0, r.takingOver, []],
    ["mounting the partner's, done [R9]", r.takingOver, {}, r.evPartnerMounted, 0, r.takenOver, []],
    [
        "mounting the partner's, failed",
        r.takingOver,
        {},
        r.evPartnerFailed,
        0,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "mounting the partner's, its OWN rises (HOLD wire broken) [R31]",
        r.takingOver,
        {},
        r.evTick,
        own,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "mounting the partner's, never ends",
        r.takingOver,
        { sinceMs: now - changeMsMax - 1 },
        r.evTick,
        0,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "mounting the partner's, the home array fails",
        r.takingOver,
        {},
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropPartner, r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    // takenOver
    ["taken over, all is well", r.takenOver, { cause: r.causeAsked }, r.evTick, 0, r.takenOver, []],
    ["taken over, asked to give back [R15]", r.takenOver, {}, r.evGiveback, 0, r.givingBack, [r.doReleasePartner]],
    [
        "taken over, asked, the partner is not heard: vetoed",
        r.takenOver,
        { heardPartnerMs: now - silentMs - 1 },
        r.evGiveback,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, asked, the partner does not wait: vetoed",
        r.takenOver,
        { partnerRole: r.booting },
        r.evGiveback,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, OWN of the partner rises (HOLD wire broken) [R31]",
        r.takenOver,
        {},
        r.evTick,
        own,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "taken over, the partner's array fails",
        r.takenOver,
        {},
        r.evPartnerFailed,
        0,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "taken over, the home array fails",
        r.takenOver,
        {},
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropPartner, r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    [
        "taken over, the partner is silent: it may be off, or get a new program",
        r.takenOver,
        { heardPartnerMs: now - hungMs, sinceMs: now - hungMs - 1 },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, the partner is silent for long: it may hang, and is reset [R9] [R32]",
        r.takenOver,
        { heardPartnerMs: now - hungMs - 1, sinceMs: now - hungMs - 1 },
        r.evTick,
        0,
        r.takenOver,
        [r.doResetLow],
    ],
    [
        "taken over, the partner is silent for long, and so is everyone: the same",
        r.takenOver,
        { heardPartnerMs: 0, heardBusMs: 0 },
        r.evTick,
        0,
        r.takenOver,
        [r.doResetLow],
    ],
    [
        "taken over, the partner is silent and was reset not long ago",
        r.takenOver,
        { heardPartnerMs: 0, sinceMs: now - hungMs },
        r.evTick,
        0,
        r.takenOver,
        [],
    ],
    [
        "taken over, the partner's reset ends",
        r.takenOver,
        { heardPartnerMs: 0, sinceMs: now - tickMs, resetting: true },
        r.evTick,
        0,
        r.takenOver,
        [r.doResetRelease],
    ],
    [
        "taken over, the partner's array fails while it is reset: it is let go of",
        r.takenOver,
        { heardPartnerMs: 0, sinceMs: now - 1, resetting: true },
        r.evPartnerFailed,
        0,
        r.active,
        [r.doResetRelease, r.doDropPartner, r.doHoldLow],
    ],
    [
        "taken over, the home array fails while the partner is reset: it is let go of",
        r.takenOver,
        { heardPartnerMs: 0, sinceMs: now - 1, resetting: true },
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropPartner, r.doResetRelease, r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    // givingBack
    ["giving back, not released yet", r.givingBack, {}, r.evTick, 0, r.givingBack, []],
    [
        "giving back, the last moment of patience",
        r.givingBack,
        { sinceMs: now - changeMsMax },
        r.evTick,
        0,
        r.givingBack,
        [],
    ],
    ["giving back, released", r.givingBack, {}, r.evPartnerReleased, 0, r.active, [r.doDropPartner, r.doHoldLow]],
    [
        "giving back, the release never ends",
        r.givingBack,
        { sinceMs: now - changeMsMax - 1 },
        r.evTick,
        0,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "giving back, OWN rises before HOLD fell",
        r.givingBack,
        {},
        r.evTick,
        own,
        r.active,
        [r.doDropPartner, r.doHoldLow],
    ],
    [
        "giving back, the home array fails",
        r.givingBack,
        {},
        r.evHomeFailed,
        0,
        r.degraded,
        [r.doDropPartner, r.doHoldLow, r.doDropHome, r.doOwnLow],
    ],
    // degraded
    ["degraded, too early for another try", r.degraded, { sinceMs: now - retryMs }, r.evTick, own, r.degraded, []],
    ["degraded, another try", r.degraded, { sinceMs: now - retryMs - 1 }, r.evTick, own, r.booting, []],
    [
        "degraded, the partner takes the array over",
        r.degraded,
        { sinceMs: now - 10 },
        r.evTick,
        own + hold,
        r.waiting,
        [],
    ],
    ["degraded, the last mount has not ended", r.degraded, { homeBusy: true }, r.evTick, own, r.degraded, []],
]

/** What the state remembers is what was done. */
function checkFields(before: r.PairState, s: r.PairState, event: number, actions: number[]): void {
    const raised = actions.includes(r.doHoldHigh)
    assert.equal(s.holding, raised || (before.holding && !actions.includes(r.doHoldLow)), "holding")
    const pulled = actions.includes(r.doResetLow)
    assert.equal(s.resetting, pulled || (before.resetting && !actions.includes(r.doResetRelease)), "resetting")
    const ends = [r.evPartnerMounted, r.evPartnerFailed, r.evPartnerReleased].includes(event)
    const begins = actions.includes(r.doMountPartner) || actions.includes(r.doReleasePartner)
    assert.equal(s.partnerBusy, begins || (before.partnerBusy && !ends), "partnerBusy")
    const homeEnds = event === r.evHomeMounted || event === r.evHomeFailed
    assert.equal(s.homeBusy, actions.includes(r.doMountHome) || (before.homeBusy && !homeEnds), "homeBusy")
    if (s.role === r.active) assert.equal(s.home, true)
    if ([r.booting, r.waiting, r.degraded].includes(s.role)) assert.equal(s.home, false)
    if (s.role !== before.role) {
        assert.equal(s.sinceMs, now)
        assert.equal(s.stepped, false)
    }
}

describe("pair: table of states", () => {
    for (const [title, role, setup, event, arg, next, expected] of rows)
        it(title, () => {
            const s = stateOf(role, setup)
            const actions: number[] = []
            r.step(s, event, arg, now, actions)
            assert.equal(roleNames[s.role], roleNames[next])
            assert.deepEqual(actions, expected)
            checkFields(stateOf(role, setup), s, event, actions)
        })

    // what each role listens to, besides evPartner and evBus, which change no role
    const listed: Record<number, number[]> = {
        [r.booting]: [r.evTick, r.evHomeMounted, r.evHomeFailed],
        [r.waiting]: [r.evTick],
        [r.active]: [r.evTick, r.evTakeover, r.evHomeFailed],
        [r.takingOver]: [r.evTick, r.evPartnerMounted, r.evPartnerFailed, r.evHomeFailed],
        [r.takenOver]: [r.evTick, r.evGiveback, r.evPartnerFailed, r.evHomeFailed],
        [r.givingBack]: [r.evTick, r.evPartnerReleased, r.evHomeFailed],
        [r.degraded]: [r.evTick],
        [r.lettingGo]: [r.evTick, r.evHomeReleased, r.evHomeFailed],
    }
    for (const role of Object.keys(listed).map(Number))
        it(`${roleNames[role]}: an event it does not list changes nothing`, () => {
            for (let event = 0; event <= r.evPartnerMode; event++) {
                if (listed[role].includes(event)) continue
                const s = stateOf(role)
                const actions: number[] = []
                r.step(s, event, event === r.evPartner ? s.partnerRole : 0, now, actions)
                assert.equal(roleNames[s.role], roleNames[role], `event ${event}`)
                assert.deepEqual(actions, [], `event ${event}`)
                assert.equal(s.sinceMs, stateOf(role).sinceMs)
            }
        })

    it("a failed takeover is tried again after a while, and later while the partner's own words are that its array is gone [R32]", () => {
        for (const [partnerRole, waitMs] of [
            [r.active, retryMs],
            [r.degraded, faultRetryMs],
        ]) {
            const s = stateOf(r.takingOver, { partnerRole })
            const actions: number[] = []
            r.step(s, r.evPartnerFailed, 0, now, actions)
            s.partnerSeenOwning = true
            r.step(s, r.evTick, 0, now + waitMs - 1, actions)
            assert.equal(s.role, r.active)
            r.step(s, r.evTick, 0, now + waitMs, actions)
            assert.equal(s.role, r.takingOver)
        }
    })

    it("the partner serves again: a failed takeover does not delay the next [R32]", () => {
        const s = stateOf(r.active, { noTakeoverBeforeMs: now + faultRetryMs, partnerSeenOwning: true })
        const actions: number[] = []
        r.step(s, r.evPartner, r.active, now, actions)
        r.step(s, r.evTick, 0, now + 50, actions)
        assert.equal(s.role, r.takingOver)
    })

    it("evidence that only the partner is silent is dropped when it speaks [R31]", () => {
        const s = stateOf(r.active, { heardPartnerMs: now - silentMs })
        const actions: number[] = []
        r.step(s, r.evBus, 0, now, actions)
        for (let i = 1; i < confirmTicks; i++) r.step(s, r.evTick, own, now + i, actions)
        assert.equal(s.aloneTicks, confirmTicks - 1)
        r.step(s, r.evPartner, -1, now + 5, actions)
        r.step(s, r.evTick, own, now + 6, actions)
        assert.equal(s.role, r.active)
        assert.equal(s.aloneTicks, -1)
    })

    it("causes, counters and failures are told as they were [R36]", () => {
        const after = (role: number, setup: Setup, event: number, arg = 0) => {
            const s = stateOf(role, setup)
            r.step(s, event, arg, now, [])
            return s
        }
        assert.equal(after(r.active, { partnerSeenOwning: true }, r.evTick).cause, r.causeLine)
        assert.equal(after(r.active, silent, r.evTick, own).cause, r.causeSilence)
        assert.equal(after(r.active, {}, r.evTakeover).cause, r.causeAsked)
        assert.equal(after(r.takenOver, {}, r.evGiveback).cause, r.causeAsked)
        assert.equal(after(r.takingOver, {}, r.evPartnerFailed).cause, r.causeFault)
        assert.equal(after(r.active, {}, r.evHomeFailed).cause, r.causeFault)
        assert.equal(after(r.active, {}, r.evHomeFailed).failure, r.vetoFault)
        assert.equal(after(r.takingOver, {}, r.evPartnerFailed).failure, r.vetoFault)
        assert.equal(after(r.takingOver, {}, r.evTick, own).failure, r.vetoLines)
        assert.equal(after(r.waiting, { partnerRole: r.takenOver }, r.evTick).cause, r.causePartnerGone)
        assert.equal(after(r.waiting, { partnerRole: -1 }, r.evTick).cause, r.causePartnerGone)
        assert.equal(after(r.waiting, { partnerRole: r.givingBack }, r.evTick).cause, r.causeAsked)
        const taken = after(r.takingOver, { failure: r.vetoLines }, r.evPartnerMounted)
        assert.deepEqual([taken.takeovers, taken.givebacks, taken.failure], [1, 0, r.vetoNone])
        const given = after(r.givingBack, {}, r.evPartnerReleased)
        assert.deepEqual([given.takeovers, given.givebacks], [0, 1])
    })

    it("a packet of the partner: its role only when it was a beat; the bus is not silent either [R32]", () => {
        const s = stateOf(r.active, { heardPartnerMs: 0, heardBusMs: 0 })
        r.step(s, r.evPartner, -1, now, [])
        assert.deepEqual([s.partnerRole, s.heardPartnerMs, s.heardBusMs], [r.active, now, now])
        r.step(s, r.evPartner, r.booting, now, [])
        assert.equal(s.partnerRole, r.booting)
        assert.equal(r.partnerHeard(s, now + silentMs), true)
        assert.equal(r.partnerHeard(s, now + silentMs + 1), false)
    })

    it("a partner seen once with OWN high, and never before, is missed when it falls [R32]", () => {
        const s = stateOf(r.active, { sinceMs: now, partnerOwn: 0 })
        const actions: number[] = []
        r.step(s, r.evTick, 0, now, actions)
        r.step(s, r.evTick, own, now + 10, actions)
        r.step(s, r.evTick, 0, now + 20, actions)
        assert.equal(s.role, r.takingOver)
    })

    it("only the partner is silent: after the fourth tick, and while the bus spoke in the last 1.5 s [R31]", () => {
        const s = stateOf(r.active, { heardPartnerMs: now - silentMs, heardBusMs: now - silentMs })
        const actions: number[] = []
        r.step(s, r.evBus, 0, now - 1, actions)
        assert.equal(s.aloneTicks, -1)
        r.step(s, r.evBus, 0, now, actions)
        for (let i = 1; i < confirmTicks; i++) {
            r.step(s, r.evTick, own, now, actions)
            r.step(s, r.evBus, 0, now, actions)
        }
        assert.equal(s.role, r.active)
        r.step(s, r.evTick, own, now + busQuietMs + 1, actions)
        assert.equal(s.role, r.active)
        r.step(s, r.evTick, own, now + busQuietMs, actions)
        assert.equal(s.role, r.takingOver)
        assert.equal(r.takeoverVetoes(stateOf(r.active, { heardBusMs: now - busQuietMs }), now), 0)
    })

    it("the mount's patience counts from the second look [R31]", () => {
        const s = stateOf(r.booting, { ...boots, sinceMs: now - changeMsMax })
        const actions: number[] = []
        r.step(s, r.evTick, 0, now, actions)
        r.step(s, r.evTick, own, now + tickMs, actions)
        r.step(s, r.evTick, own, now + tickMs + 10, actions)
        assert.deepEqual(actions, [r.doOwnHigh, r.doMountHome])
    })

    it("every veto has its reason [R15]", () => {
        const takeover = (role: number, setup: Setup) => r.firstVeto(r.takeoverVetoes(stateOf(role, setup), now))
        const giveback = (role: number, setup: Setup) => r.firstVeto(r.givebackVetoes(stateOf(role, setup), now))
        assert.equal(takeover(r.active, {}), r.vetoNone)
        assert.equal(takeover(r.takenOver, {}), r.vetoAlready)
        for (const role of [r.booting, r.waiting, r.takingOver, r.givingBack, r.degraded]) {
            assert.equal(takeover(role, {}), r.vetoBusy)
            assert.equal(giveback(role, {}), r.vetoBusy)
        }
        assert.equal(takeover(r.active, { heardBusMs: 0 }), r.vetoBusSilent)
        // its OWN is low: there is nothing to be mistaken about
        assert.equal(takeover(r.active, { heardBusMs: 0, partnerOwn: 0 }), r.vetoNone)
        assert.equal(giveback(r.active, {}), r.vetoAlready)
        assert.equal(giveback(r.takenOver, {}), r.vetoNone)
        assert.equal(giveback(r.takenOver, { heardPartnerMs: 0 }), r.vetoNotHeard)
        assert.equal(giveback(r.takenOver, { partnerRole: r.degraded }), r.vetoNotWaiting)
        // all of them, not only the first
        const both = r.givebackVetoes(stateOf(r.takenOver, { partnerRole: r.booting, heardPartnerMs: 0 }), now)
        assert.equal(both, (1 << r.vetoNotHeard) | (1 << r.vetoNotWaiting))
    })

    it("mode: a node that comes up takes its partner's; two that are active are active/active; a giveback that was asked for ends standby [R10] [R11]", () => {
        const modeAfter = (s: r.PairState, event: number, arg: number) => {
            r.step(s, event, arg, now, [])
            return s.mode
        }
        for (const role of [r.booting, r.waiting])
            assert.equal(modeAfter(stateOf(role), r.evPartnerMode, r.activeStandby), r.activeStandby)
        for (const role of [r.active, r.takenOver, r.givingBack])
            assert.equal(modeAfter(stateOf(role), r.evPartnerMode, r.activeStandby), r.activeActive)
        const standby = { mode: r.activeStandby }
        assert.equal(modeAfter(stateOf(r.active, standby), r.evPartner, r.active), r.activeActive)
        assert.equal(modeAfter(stateOf(r.takenOver, standby), r.evPartner, r.waiting), r.activeStandby)
        assert.equal(modeAfter(stateOf(r.takenOver, standby), r.evGiveback, 0), r.activeActive)
        // active/active set while the partner is away: it is given its volume when it has come back
        const s = stateOf(r.takenOver, { ...standby, cause: r.causeAsked, partnerRole: r.booting })
        r.step(s, r.evMode, r.activeActive, now, [])
        r.step(s, r.evPartner, r.waiting, now + 100, [])
        assert.equal(r.givebackDueMs(s, now + 100), now + 100 + givebackMs)
    })
})
