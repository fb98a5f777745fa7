// The table of states in docs/PROTOCOL.md, "Roles", row by row; what the rows cannot say stands in tests of its own.

import assert from "node:assert/strict"
import {
    busQuietMs,
    changeMsMax,
    confirmTicks,
    faultRetryMs,
    givebackMs,
    retryMs,
    silentMs,
    tickMs,
} from "../../src/config"
import * as r from "../../src/pair/role"
import { roleNames } from "./pair-world"
import { boots, now, own, rows, silent, stateOf, type Setup } from "./states-table"

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
        // whoever or whatever made the holder do so
        for (const partnerRole of [-1, r.takenOver, r.givingBack])
            assert.equal(after(r.waiting, { partnerRole, cause: r.causeAsked }, r.evTick).cause, r.causePartnerGone)
        const taken = after(r.takingOver, { failure: r.vetoLines }, r.evPartnerMounted)
        assert.deepEqual([taken.takeovers, taken.givebacks, taken.failure], [1, 0, r.vetoNone])
        const given = after(r.givingBack, {}, r.evPartnerReleased)
        assert.deepEqual([given.takeovers, given.givebacks], [0, 1])
    })

    it("the partner has waited since it was last silent, or in reset [R15]", () => {
        const waited = { cause: r.causeLine, partnerWaitsMs: now - givebackMs }
        assert.equal(r.givebackDueMs(stateOf(r.takenOver, waited), now), now)
        // it goes on to wait where it was, and its first word is no beat
        const back = stateOf(r.takenOver, { ...waited, heardPartnerMs: now - silentMs - 1 })
        r.step(back, r.evTick, 0, now, [])
        for (const role of [-1, r.waiting]) r.step(back, r.evPartner, role, now + 50, [])
        assert.equal(r.givebackDueMs(back, now + 50), now + givebackMs)
        for (const [role, setup] of [
            [r.active, { partnerSeenOwning: true }],
            [r.takenOver, { heardPartnerMs: 0 }],
        ] as const) {
            const s = stateOf(role, { ...waited, partnerRole: r.waiting, ...setup })
            const actions: number[] = []
            r.step(s, r.evTick, 0, now, actions)
            assert.ok(actions.includes(r.doResetLow))
            assert.equal(s.partnerWaitsMs, now)
        }
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
