// What the random worlds, and reading with them in mind, found in the role logic; each as the shortest story that shows it.

import assert from "node:assert/strict"
import { bootGraceMs, changeMsMax, givebackMs, givebacksMax, holderMsMax, hungMs } from "../../src/config"
import * as role from "../../src/pair/role"
import { Random } from "../../tools/sim/random"
import { PairWorld } from "./pair-world"

const isFull = process.env.FULL === "1"
const seeds = isFull ? 400 : 40

/** Both have power and are active, and hear each other and a host. */
function pairWorld(seed: number): PairWorld {
    const world = new PairWorld(new Random(`finding/${seed}`))
    world.power(0, true)
    world.power(1, true)
    assert.ok(world.run(20_000, () => world.nodes.every(node => node.runs && node.pair.role === role.active)))
    // roles bound, grace over
    world.run(world.nowMs + 2 * bootGraceMs)
    assert.equal(world.roles(), "active/active")
    return world
}

function until(world: PairWorld, ms: number, what: string, isDone: () => boolean): number {
    const from = world.nowMs
    assert.ok(world.run(from + ms, isDone), `not within ${ms} ms: ${what} (${world.roles()})`)
    return world.nowMs - from
}

const serves = (world: PairWorld, node: number) => world.controller(0) === node && world.controller(1) === node

/** `a` holds both arrays, `b` waits. */
function taken(seed: number): PairWorld {
    const world = pairWorld(seed)
    world.ask(0, role.evTakeover)
    until(
        world,
        5_000,
        "taken over",
        () => serves(world, 0) && world.nodes[1].runs && world.nodes[1].pair.role === role.waiting,
    )
    world.run(world.nowMs + 2 * bootGraceMs)
    assert.equal(world.roles(), "takenOver/waiting")
    return world
}

function story(title: string, tell: (seed: number) => void): void {
    it(title, () => {
        for (let seed = 0; seed < seeds; seed++) tell(seed)
    })
}

describe("pair: findings", function () {
    this.timeout(120_000)

    story(
        "a node pulled off the bus heard everyone a moment ago, and does not take its silent partner for dead [R31]",
        seed => {
            const world = pairWorld(seed)
            world.hostMs = 20
            world.run(world.nowMs + 500)
            world.link = false
            world.hostLink[0] = false
            until(
                world,
                3_000,
                "b, which hears the host, takes over",
                () => world.nodes[1].pair.role === role.takingOver,
            )
            assert.notEqual(world.nodes[0].pair.role, role.takingOver)
        },
    )

    story("all wires of the bus cut at once: nobody takes over [R31]", seed => {
        const world = pairWorld(seed)
        world.hostMs = 20
        world.run(world.nowMs + 500)
        world.link = false
        world.hostLink[0] = world.hostLink[1] = false
        assert.equal(
            world.run(world.nowMs + 30_000, () => world.roles() !== "active/active"),
            false,
        )
    })

    story("the partner boots, and cannot speak before its roles are bound: it is not taken for hung [R32]", seed => {
        const world = new PairWorld(new Random(`finding/${seed}`))
        world.power(1, true)
        until(world, 5_000, "b is up", () => world.nodes[1].runs && world.nodes[1].pair.role === role.active)
        world.hostMs = 20
        // its OWN rises just before the grace of b ends
        world.run(world.nowMs + bootGraceMs - 1_200)
        world.power(0, true)
        const b = world.nodes[1]
        const isTaken = () => b.pair.role === role.takingOver && b.partner.own
        assert.equal(world.run(world.nowMs + 20_000, isTaken), false)
    })

    story(
        "a node that stalls twice looks at its clock before its packets: its partner is not taken for hung [R32]",
        seed => {
            const world = pairWorld(seed)
            world.hostMs = 30
            world.chances = { ...world.chances, stalls: 0.02, stallMsMax: 700 }
            // silence that is real, a stall of the partner, is its own fault; that packets wait is checked by the world
            world.run(world.nowMs + 60_000)
        },
    )

    story(
        "the node that holds both arrays hangs with its lines up: the one that waits fences it and serves both [R9] [R32]",
        seed => {
            const world = taken(seed)
            world.hang(0, true)
            until(world, 6_000, "b serves both", () => serves(world, 1))
        },
    )

    story("a node that waits for its volume hangs: the holder resets it after a while [R9] [R32]", seed => {
        const world = taken(seed)
        const [, b] = world.nodes
        const booted = b.bootMs
        world.hang(1, true)
        assert.equal(
            world.run(world.nowMs + hungMs - 1_000, () => !b.isHung),
            false,
        )
        until(world, 5_000, "b runs again", () => b.runs && !b.isHung && b.bootMs > booted)
        until(world, 8_000, "it waits, and a hears it", () => b.pair.role === role.waiting && b.heardBeats > 20)
        world.ask(0, role.evGiveback)
        until(world, 3_000, "both serve", () => world.controller(0) === 0 && world.controller(1) === 1)
        assert.equal(b.resetLow, false)
    })

    story("a partner that loses power while it waits waits anew when it is back [R15]", seed => {
        const world = pairWorld(seed)
        for (const offMs of [2_000, 15_000]) {
            world.power(1, false)
            world.run(world.nowMs + offMs)
            world.power(1, true)
            assert.equal(
                world.run(world.nowMs + givebackMs, () => !serves(world, 0)),
                false,
            )
        }
        until(world, 5_000, "b serves its own", () => world.controller(1) === 1)
    })

    story(
        "HOLD is stuck high: after each takeover that ends a giveback in vain, the partner waits anew [R15]",
        seed => {
            const world = pairWorld(seed)
            world.isEverIntact = false
            world.stickWire(0, "HOLD", true)
            for (let n = 0; n < givebacksMax; n++) {
                until(world, bootGraceMs + 4_000, "a serves both", () => serves(world, 0))
                assert.equal(
                    world.run(world.nowMs + givebackMs - 500, () => !serves(world, 0)),
                    false,
                )
                until(world, 5_000, "a gives back", () => !serves(world, 0))
            }
        },
    )

    story("a node that waits has no power: its holder pulls its RESET in vain, and goes on [R9]", seed => {
        const world = taken(seed)
        world.power(1, false)
        assert.equal(
            world.run(world.nowMs + 5 * hungMs, () => !serves(world, 0)),
            false,
        )
        world.power(1, true)
        until(world, 4_000, "b waits", () => world.nodes[1].runs && world.nodes[1].pair.role === role.waiting)
    })

    story("the holder hung before the other booted, and was never heard: patience, then the fence [R9] [R32]", seed => {
        const world = taken(seed)
        world.hang(0, true)
        world.power(1, false)
        world.run(world.nowMs + 1_000)
        world.power(1, true)
        assert.equal(
            world.run(world.nowMs + holderMsMax - 1_000, () => serves(world, 1)),
            false,
        )
        until(world, 10_000, "b serves both", () => serves(world, 1))
    })

    story(
        "only the two nodes do not hear each other: one takes over, and they do not reset each other for ever [R32]",
        seed => {
            const world = pairWorld(seed)
            world.link = false
            until(world, 5_000, "one serves both", () => serves(world, 0) || serves(world, 1))
            world.run(world.nowMs + 1_000)
            const { takeovers } = world.nodes[serves(world, 0) ? 0 : 1].pair
            assert.equal(takeovers, 1)
            const before = world.roles()
            assert.equal(
                world.run(world.nowMs + 3 * holderMsMax, () => !serves(world, before.startsWith("takenOver") ? 0 : 1)),
                false,
            )
        },
    )

    story(
        "both are asked to take over at one instant: one does, or both boot again; none waits for ever [R15] [R31]",
        seed => {
            const world = pairWorld(seed)
            world.ask(0, role.evTakeover)
            world.ask(1, role.evTakeover)
            until(world, 10_000, "both arrays are served", () => world.controller(0) >= 0 && world.controller(1) >= 0)
        },
    )

    story("HOLD rises and falls while a node mounts (RESET wire broken): one drives [R31]", seed => {
        const world = pairWorld(seed)
        world.isEverIntact = false
        const [, b] = world.nodes
        world.breakWire(0, "RESET", true)
        world.reset(1)
        const { random } = world
        for (let n = 0; n < 12; n++) {
            world.run(world.nowMs + 120 * random.float())
            world.ask(0, role.evTakeover)
            world.run(world.nowMs + 200 * random.float())
            if (random.chance(0.5)) world.reset(0)
            if (random.chance(0.5)) world.reset(1)
        }
        world.breakWire(0, "RESET", false)
        until(world, 12_000, "both arrays are served", () => world.controller(0) >= 0 && world.controller(1) >= 0)
        assert.ok(b.hasPower)
    })

    story(
        "the HOLD wire breaks while a node is taken over: it boots and drives; the holder sees OWN and lets go [R6] [R31]",
        seed => {
            const world = taken(seed)
            world.isEverIntact = false
            world.breakWire(0, "HOLD", true)
            until(world, 200, "the holder lets go", () => !world.nodes[0].otherServing)
            until(world, 3, "the claim ends", () => !world.nodes[0].hold)
            until(world, 2_000, "each serves its own", () => world.controller(0) === 0 && world.controller(1) === 1)
        },
    )

    story("the OWN wire breaks: a takeover that was not needed, and no second controller [R31]", seed => {
        const world = pairWorld(seed)
        world.isEverIntact = false
        world.breakWire(1, "OWN", true)
        until(world, 3_000, "a serves both", () => serves(world, 0))
        // each giveback of its own accord ends in the next takeover, until a has had enough
        world.run(world.nowMs + 3 * (givebackMs + bootGraceMs + 6_000))
        assert.equal(world.nodes[0].pair.givebacks, givebacksMax)
        until(world, 20_000, "a serves both", () => serves(world, 0))
        assert.equal(
            world.run(world.nowMs + 120_000, () => !serves(world, 0)),
            false,
        )
    })

    story("HOLD is stuck high: its partner lets go once, is served, and nobody drives twice [R31]", seed => {
        const world = pairWorld(seed)
        world.isEverIntact = false
        world.stickWire(0, "HOLD", true)
        until(world, 3_000, "a serves both", () => serves(world, 0))
        world.run(world.nowMs + 60_000)
        world.stickWire(0, "HOLD", false)
        until(world, 12_000, "both arrays are served", () => world.controller(0) >= 0 && world.controller(1) >= 0)
    })

    story("HOLD glitches for less than a look takes: nobody lets go [R31]", seed => {
        const world = pairWorld(seed)
        world.isEverIntact = false
        for (let n = 0; n < 50; n++) {
            world.stickWire(0, "HOLD", true)
            world.run(world.nowMs + 9 * world.random.float())
            world.stickWire(0, "HOLD", false)
            assert.equal(
                world.run(world.nowMs + 15 + 100 * world.random.float(), () => world.controller(1) !== 1),
                false,
            )
        }
    })

    story("asked for, a takeover resets nobody, and the other serves again 2 s after the giveback [R15]", seed => {
        const world = pairWorld(seed)
        const { bootMs } = world.nodes[1]
        world.ask(0, role.evTakeover)
        until(world, 3_000, "a serves both", () => serves(world, 0))
        assert.equal(world.nodes[1].bootMs, bootMs)
        world.run(world.nowMs + 30_000)
        assert.ok(serves(world, 0), "kept until asked")
        world.ask(0, role.evGiveback)
        until(world, 2_000, "each serves its own", () => world.controller(0) === 0 && world.controller(1) === 1)
        assert.equal(world.nodes[1].bootMs, bootMs)
    })

    story(
        "both are asked to take over at once: neither gets it, or one does; both arrays stay served [R15] [R31]",
        seed => {
            const world = pairWorld(seed)
            world.ask(0, role.evTakeover)
            world.run(world.nowMs + 60 * world.random.float())
            world.ask(1, role.evTakeover)
            until(world, 12_000, "both arrays are served", () => world.controller(0) >= 0 && world.controller(1) >= 0)
        },
    )

    for (const who of ["asks", "is asked"])
        story(`the node that ${who} dies in a takeover someone asked for: the other serves both [R9] [R15]`, seed => {
            const world = pairWorld(seed)
            world.ask(0, role.evTakeover)
            world.run(world.nowMs + 500 * world.random.float())
            const dead = who === "asks" ? 0 : 1
            world.power(dead, false)
            until(world, bootGraceMs + 4_000, "the other serves both", () => serves(world, dead ^ 1))
        })

    story(
        "the RESET wire is broken, and the partner hangs with OWN high: the claim ends, and nobody drives twice [R31]",
        seed => {
            const world = pairWorld(seed)
            world.isEverIntact = false
            world.breakWire(0, "RESET", true)
            world.hang(1, true)
            until(world, 3_000, "a tries", () => world.nodes[0].hold)
            until(world, 200, "a gives up", () => !world.nodes[0].hold)
            assert.equal(
                world.run(world.nowMs + 20_000, () => world.controller(0) !== 0),
                false,
            )
            world.reset(1)
            until(world, 12_000, "both arrays are served", () => world.controller(0) >= 0 && world.controller(1) >= 0)
        },
    )

    story("the partner dies between HOLD falling and its OWN rising: it is taken over again [R9]", seed => {
        const world = taken(seed)
        world.ask(0, role.evGiveback)
        until(world, 2_000, "HOLD falls", () => !world.nodes[0].hold)
        world.run(world.nowMs + 15 * world.random.float())
        world.power(1, false)
        until(world, bootGraceMs + 2_000, "a serves both", () => serves(world, 0))
    })

    story("the holder dies while it gives back: the other goes on alone [R9]", seed => {
        const world = taken(seed)
        world.ask(0, role.evGiveback)
        world.run(world.nowMs + 400 * world.random.float())
        world.power(0, false)
        until(world, bootGraceMs + 2_000, "b serves both", () => serves(world, 1))
    })

    story("the release never ends: the claim ends, and the partner serves its own [R15]", seed => {
        const world = taken(seed)
        world.ask(0, role.evGiveback)
        world.nodes[0].jobAt = Infinity
        assert.equal(
            world.run(world.nowMs + changeMsMax - 1_000, () => world.controller(1) === 1),
            false,
        )
        until(world, 4_000, "b serves its own", () => world.controller(1) === 1)
    })

    story("the mount of a takeover never ends: the claim ends, and the partner serves its own [R9]", seed => {
        const world = pairWorld(seed)
        world.ask(0, role.evTakeover, 1)
        until(world, 200, "a mounts", () => world.nodes[0].job !== 0)
        world.nodes[0].jobAt = Infinity
        assert.equal(
            world.run(world.nowMs + changeMsMax - 1_000, () => world.controller(1) === 1),
            false,
        )
        until(world, 4_000, "b serves its own", () => world.controller(1) === 1)
    })

    story(
        "an array neither can read: the try comes once a minute, and does not reset a node that says so each 5 s [R25]",
        seed => {
            const world = pairWorld(seed)
            world.spoil(1, true)
            world.run(world.nowMs + 15_000)
            const { bootMs } = world.nodes[1]
            assert.equal(
                world.run(world.nowMs + 40_000, () => world.nodes[1].bootMs !== bootMs),
                false,
            )
            assert.equal(world.controller(0), 0)
            world.spoil(1, false)
            until(world, 8_000, "b serves its own again", () => world.controller(1) === 1)
            // and that the last try failed does not delay the next takeover
            world.run(world.nowMs + 2_000)
            world.power(1, false)
            until(world, 2_000, "a serves both", () => serves(world, 0))
        },
    )

    story(
        "an array only its home node cannot read: the partner serves it, and giveback is possible [R5] [R15]",
        seed => {
            const world = pairWorld(seed)
            world.nodes[1].pair.home = true
            world.spoil(1, true)
            world.arrayBad[1] = false
            until(world, 2_000, "a serves both", () => serves(world, 0))
            until(
                world,
                4_000,
                "b waits and is heard",
                () => world.nodes[0].pair.partnerRole === role.waiting && world.nodes[1].heardBeats > 2,
            )
            world.ask(0, role.evGiveback)
            until(world, 4_000, "each serves its own", () => world.controller(0) === 0 && world.controller(1) === 1)
        },
    )

    story(
        "a brown-out shorter than a tick is a boot: the partner has taken over, and waits to be asked [R32]",
        seed => {
            const world = pairWorld(seed)
            world.power(1, false)
            world.run(world.nowMs + 5)
            world.power(1, true)
            until(world, 3_000, "a serves both", () => serves(world, 0))
        },
    )
})
