// Two boards, two arrays, and the wires between them. Kept true:
// - array power is there while either board has power (two diodes); the chips die only with the second board, or with the one whose
//   diode was put in;
// - RESET of a node low holds its partner in reset; OWN and HOLD are low unless a running node drives them high;
// - a node that stops lets go of everything at one instant: first the transfer in flight ends, then its selects rise, then its
//   lines fall and the switches follow;
// - never two controllers (`oneController`): with sound lines no node selects an element that hangs on the other node's port. A broken line may
//   make one do so, into the void: the switch still lets one node through.

import type { Pull, SpiSetup } from "../board-port"
import type { Element, SpiReply } from "../chips/element"
import { Violation, type ReportViolation } from "../chips/violation"
import { CabinetArray } from "./array"
import { CabinetNode, type NodeState } from "./node"
import { isSelect, strapBit, type BoardPins, type PinName } from "./pins"
import type { Level } from "./line"

export type LineName = "OWN" | "HOLD" | "RESET"

/**
 * high, low: the whole wire is shorted to supply or ground, for the switch too; cut: the wire to the partner is broken. The partner's
 * input then reads its own pull, and its RUN pin is released; floats: OWN or HOLD without its pull-down, which reads high while nobody drives it.
 */
export type LineFault = "high" | "low" | "cut" | "floats"

/** Programs notice a line that was mended at their next looks; until then they may act on what it told them before. */
const settledAfterFaultNs = 200_000_000

export interface PairEvents {
    report: ReportViolation
    /** To select an element that is with the other node is a violation. */
    oneController: boolean
    onNode(node: string, state: NodeState, atNs: number): void
    onLine(line: string, level: Level, atNs: number): void
    onSupply(isAlive: boolean, atNs: number): void
}

export class CabinetPair {
    readonly nodes: readonly [CabinetNode, CabinetNode]
    readonly arrays: readonly [CabinetArray, CabinetArray]
    private readonly lineFaults = new Map<string, LineFault>()
    private lineMendedNs = -Infinity

    constructor(
        names: readonly [string, string],
        straps: readonly [number, number],
        private readonly pins: BoardPins,
        elements: readonly [Element[], Element[]],
        private readonly events: PairEvents,
    ) {
        const first = new CabinetNode(names[0], straps[0])
        const second = new CabinetNode(names[1], straps[1])
        this.nodes = [first, second]
        this.arrays = [
            new CabinetArray(first, second, elements[0], events.report),
            new CabinetArray(second, first, elements[1], events.report),
        ]
    }

    partnerOf(node: CabinetNode): CabinetNode {
        return node === this.nodes[0] ? this.nodes[1] : this.nodes[0]
    }

    get hasSupply(): boolean {
        return this.nodes.some(node => node.hasPower)
    }

    power(node: CabinetNode, on: boolean, atNs: number): void {
        if (on === node.hasPower) return
        if (on) {
            const hadSupply = this.hasSupply
            const dead = this.arrays.filter(array => !this.isFed(array))
            for (const array of dead) if (array.isFedBy(node)) array.powerUp(atNs)
            if (!hadSupply) this.events.onSupply(true, atNs)
            this.enter(node, this.isHeldInReset(node) ? "reset" : "run", atNs)
            return
        }
        this.stop(node, "off", atNs)
        for (const array of this.arrays) if (!this.isFed(array)) array.powerLost(atNs)
        if (!this.hasSupply) this.events.onSupply(false, atNs)
    }

    /** Whether a board with power has its diode to this array's supply. */
    isFed(array: CabinetArray): boolean {
        return this.nodes.some(node => node.hasPower && array.isFedBy(node))
    }

    /** The button on the board, or a watchdog: in and out of reset at one instant. */
    pressReset(node: CabinetNode, atNs: number): void {
        if (!node.runs) return
        this.stop(node, "reset", atNs)
        this.updateReset(node, atNs)
    }

    /** Breaks a node's line, or mends it. */
    faultLine(node: CabinetNode, line: LineName, fault: LineFault | undefined, atNs: number): void {
        const name = `${node.name}.${line}`
        if (fault) this.lineFaults.set(name, fault)
        else if (this.lineFaults.delete(name)) this.lineMendedNs = atNs
        if (line === "RESET") this.updateReset(this.partnerOf(node), atNs)
        else this.updateLines(node, atNs, "fault")
    }

    lineFault(node: CabinetNode, line: LineName): LineFault | undefined {
        return this.lineFaults.get(`${node.name}.${line}`)
    }

    resetLevel(node: CabinetNode): Level {
        return this.stuck(node, "RESET") ?? (node.driven("RESET") === 0 || !this.partnerOf(node).hasPower ? 0 : 1)
    }

    drive(node: CabinetNode, gpio: number, level: Level | undefined, pull: Pull, atNs: number): void {
        if (!node.runs) return
        node.pull(gpio, pull)
        const pin = this.pins.nameOf(gpio)
        if (!pin || node.driven(pin) === level) return
        this.checkDrive(node, pin, level, atNs)
        node.drive(pin, level)
        if (isSelect(pin)) {
            if (level === 0) this.checkController(node, pin, atNs)
            for (const array of this.arrays) array.updateSelects(atNs)
        } else if (pin === "OWN" || pin === "HOLD") this.updateLines(node, atNs)
        else if (pin === "RESET") {
            this.events.onLine(`${node.name}.RESET`, level === 0 ? 0 : 1, atNs)
            this.updateReset(this.partnerOf(node), atNs)
        }
    }

    sense(node: CabinetNode, gpio: number, atNs: number): Level {
        const pin = this.pins.nameOf(gpio)
        const undriven = node.pulled(gpio) === "up" ? 1 : 0
        if (!pin) return undriven
        const partner = this.partnerOf(node)
        switch (pin) {
            case "PARTNER_OWN":
                return this.lineFault(partner, "OWN") === "cut" ? undriven : partner.own.at(atNs)
            case "PARTNER_HOLD":
                return this.lineFault(partner, "HOLD") === "cut" ? undriven : partner.hold.at(atNs)
            case "NODE":
            case "PAIR0":
            case "PAIR1":
                return node.strap(strapBit(pin)!)
            case "RESET":
                // The pull-up is on the partner's side (RP2040, RUN pin), so an unpowered partner reads low
                return this.stuck(node, pin) ?? node.driven(pin) ?? this.pulledUpBy(partner, node)
            case "OWN":
            case "HOLD":
                // The outside pull-down (10 k) is stronger than the chip's own pull-up (50 k)
                return this.stuck(node, pin) ?? node.driven(pin) ?? (this.lineFault(node, pin) === "floats" ? 1 : 0)
            case "MISO":
                return node.driven(pin) ?? 1
            default:
                return node.driven(pin) ?? (isSelect(pin) ? 1 : undriven)
        }
    }

    transfer(node: CabinetNode, spi: SpiSetup, tx: Uint8Array, startNs: number, endNs: number): Uint8Array {
        const rx = new Uint8Array(tx.length).fill(0xff)
        if (!node.runs) return rx
        node.transferEndNs = endNs
        if (!this.isWired(node, spi, startNs)) return rx
        let drivenFrom = tx.length
        let driver = ""
        let hasConflict = false
        this.clockBystanders(node, tx.length, startNs, spi.hz)
        for (const array of this.arrays)
            for (const chip of array.selected(node)) {
                const reply = chip.transfer(tx, startNs, endNs, spi.hz)
                if (spi.hz > array.wiring.promptHz) delayBit(reply)
                for (let i = reply.drivenFrom; i < tx.length; i++) {
                    if (i >= drivenFrom && rx[i] !== reply.rx[i] && !hasConflict) {
                        hasConflict = true
                        this.violation(
                            `${node.name}.MISO`,
                            `${driver} and ${chip.name} drive it with different bits`,
                            startNs,
                        )
                    }
                    // Who pulls low wins, mostly
                    rx[i] &= reply.rx[i]
                }
                if (reply.drivenFrom < drivenFrom) {
                    drivenFrom = reply.drivenFrom
                    driver = chip.name
                }
            }
        if (this.arrays.some(array => array.isMisoHeld(node))) rx.fill(0)
        return rx
    }

    /**
     * The clock reaches every element of an array that the switch lets through. What a card still drives for 8 clocks after its select
     * rose stays behind the gate at its DO (docs/WIRING.md, "SD cards instead of chips").
     */
    private clockBystanders(node: CabinetNode, bytes: number, startNs: number, hz: number): void {
        for (const array of this.arrays)
            for (const element of array.bystanders(node)) element.clocked(bytes, startNs, hz)
    }

    aborted(node: CabinetNode, atNs: number): void {
        if (atNs >= node.transferEndNs) return
        node.transferEndNs = atNs
        for (const array of this.arrays) for (const element of array.selected(node)) element.abort(atNs)
    }

    private isWired(node: CabinetNode, spi: SpiSetup, atNs: number): boolean {
        for (const [name, gpio] of [
            ["MISO", spi.miso],
            ["MOSI", spi.mosi],
            ["SCK", spi.sck],
        ] as const)
            if (this.pins.gpioOf(name) !== gpio) {
                this.violation(
                    `${node.name}.${name}`,
                    `SPI is configured on pin ${gpio}; the wire is on ${this.pins.gpioOf(name)}`,
                    atNs,
                )
                return false
            }
        if (spi.mode === 0 || spi.mode === 3) return true
        this.violation(
            `${node.name}.SCK`,
            `SPI mode ${spi.mode}; the chips take 0 and 3 (W25Q128JV, Standard SPI Instructions)`,
            atNs,
        )
        return false
    }

    private checkDrive(node: CabinetNode, pin: PinName, level: Level | undefined, atNs: number): void {
        if (level === undefined) return
        const where = `${node.name}.${pin}`
        if (pin === "PARTNER_OWN" || pin === "PARTNER_HOLD")
            this.violation(where, "an input, driven by its partner, is driven", atNs)
        else if (pin === "RESET" && level === 1)
            this.violation(where, "open drain, but driven high: it would fight the partner's reset button", atNs)
        else if (strapBit(pin) !== undefined && level !== node.strap(strapBit(pin)!))
            this.violation(where, "driven against its strap", atNs)
        else if (pin === "MISO") this.violation(where, "driven, though it is an input", atNs)
    }

    private checkController(node: CabinetNode, pin: PinName, atNs: number): void {
        const array = this.arrays[pin[0] === "E" ? this.nodes.indexOf(node) : 1 - this.nodes.indexOf(node)]
        if (!this.events.oneController || array.reaches === node || !this.areLinesSound(atNs)) return
        this.violation(
            `${node.name}.${pin}`,
            `two controllers: it is selected while array ${array.name} is with ${array.reaches.name}`,
            atNs,
        )
    }

    /** And long enough for the nodes to have heard of it. */
    private areLinesSound(atNs: number): boolean {
        return this.lineFaults.size === 0 && atNs >= this.lineMendedNs + settledAfterFaultNs
    }

    private stuck(node: CabinetNode, line: LineName): Level | undefined {
        const fault = this.lineFault(node, line)
        return fault === "high" ? 1 : fault === "low" ? 0 : undefined
    }

    private pulledUpBy(partner: CabinetNode, node: CabinetNode): Level {
        return partner.hasPower && this.lineFault(node, "RESET") !== "cut" ? 1 : 0
    }

    private isHeldInReset(node: CabinetNode): boolean {
        const partner = this.partnerOf(node)
        const fault = this.lineFault(partner, "RESET")
        return fault === undefined ? partner.driven("RESET") === 0 : fault === "low"
    }

    private updateReset(node: CabinetNode, atNs: number): void {
        if (!node.hasPower) return
        const isHeld = this.isHeldInReset(node)
        if (isHeld && node.runs) this.stop(node, "reset", atNs)
        else if (!isHeld && node.state === "reset") this.enter(node, "run", atNs)
    }

    private stop(node: CabinetNode, state: "off" | "reset", atNs: number): void {
        this.aborted(node, atNs)
        const hadReset = node.driven("RESET") === 0
        node.release()
        for (const array of this.arrays) array.updateSelects(atNs)
        this.enter(node, state, atNs)
        this.updateLines(node, atNs)
        if (!hadReset) return
        this.events.onLine(`${node.name}.RESET`, 1, atNs)
        this.updateReset(this.partnerOf(node), atNs)
    }

    private enter(node: CabinetNode, state: NodeState, atNs: number): void {
        node.state = state
        this.events.onNode(node.name, state, atNs)
    }

    private updateLines(node: CabinetNode, atNs: number, cause: "program" | "fault" = "program"): void {
        const level = (line: "OWN" | "HOLD") =>
            this.stuck(node, line) ?? node.driven(line) ?? (this.lineFault(node, line) === "floats" ? 1 : 0)
        if (node.own.set(level("OWN"), atNs)) {
            this.events.onLine(node.own.name, node.own.latest, atNs)
            const isSound = cause === "program" && this.areLinesSound(atNs)
            this.arrays[this.nodes.indexOf(node)].updateSwitch(atNs, isSound)
        }
        if (node.hold.set(level("HOLD"), atNs)) this.events.onLine(node.hold.name, node.hold.latest, atNs)
    }

    private violation(where: string, what: string, atNs: number): void {
        this.events.report(new Violation(where, what, atNs))
    }
}

/** The board samples each bit while the one before is still on the wire. */
function delayBit({ rx, drivenFrom }: SpiReply): void {
    let last = 0xff
    for (let i = drivenFrom; i < rx.length; i++) {
        const byte = rx[i]
        rx[i] = ((last & 1) << 7) | (byte >> 1)
        last = byte
    }
}
