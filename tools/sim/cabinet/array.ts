// The elements of one array behind its bus switch, each in its slot or out of it. Kept true: the pins of exactly one node reach the chips, the one OWN of the
// home node selects: high, the home node through its E selects; low, the partner through its F selects. Select lines have
// pull-ups on the chips' side, so a node that drives nothing selects nothing.

import type { Element } from "../chips/element"
import { Violation, type ReportViolation } from "../chips/violation"
import type { CabinetNode } from "./node"
import { elementsMax, foreignSelect, ownSelect } from "./pins"

export interface ArrayWiring {
    /** The board whose supply does not reach this array */
    noDiodeFrom: CabinetNode | undefined
    /** F0 and F1 are exchanged */
    partnerSelectsSwapped: boolean
    /** The slot whose element goes on driving MISO low when its select has risen */
    misoHolder: number | undefined
    /** Wires so long that above this clock MISO comes a bit late */
    promptHz: number
}

export class CabinetArray {
    /** All slots that are wired; an empty one has none */
    readonly slots = new Array<Element | undefined>(elementsMax).fill(undefined)
    private controller: CabinetNode
    /** What a builder did wrong; with the slots' power off only. */
    readonly wiring: ArrayWiring = {
        noDiodeFrom: undefined,
        partnerSelectsSwapped: false,
        misoHolder: undefined,
        promptHz: Infinity,
    }
    private readonly selectedBy = new Array<CabinetNode | undefined>(elementsMax).fill(undefined)

    constructor(
        readonly home: CabinetNode,
        readonly partner: CabinetNode,
        elements: Element[],
        private readonly report: ReportViolation,
    ) {
        for (const [i, element] of elements.entries()) this.slots[i] = element
        this.controller = partner
    }

    get name(): string {
        return this.home.name
    }

    /** The node whose pins the switch lets through; it need not be alive. */
    get reaches(): CabinetNode {
        return this.controller
    }

    /**
     * OWN of the home node changed, or a node died: puts the switch where it belongs. With sound lines nobody is in the middle of a
     * command then; a broken line may tear one.
     */
    updateSwitch(atNs: number, isSound: boolean): void {
        const next = this.home.own.latest === 1 ? this.home : this.partner
        if (next === this.controller) return
        for (const node of [this.controller, next])
            for (let i = 0; i < this.slots.length; i++)
                if (isSound && this.wants(node, i))
                    this.report(
                        new Violation(
                            `${this.name}.switch`,
                            `the switch flips to ${next.name} while ${node.name} holds ${this.pinOf(node, i)} low`,
                            atNs,
                        ),
                    )
        this.controller = next
        this.updateSelects(atNs)
        if (!isSound) for (const element of this.slots) element?.cutOff()
    }

    updateSelects(atNs: number): void {
        for (let i = 0; i < this.slots.length; i++) {
            const node = this.wants(this.controller, i) ? this.controller : undefined
            const before = this.selectedBy[i]
            if (node === before) continue
            // Noted first: the end of a command may cut the power from within
            this.selectedBy[i] = node
            if (before) this.slots[i]?.deselect(atNs)
            if (node) this.slots[i]?.select(atNs)
        }
    }

    isFedBy(node: CabinetNode): boolean {
        return node !== this.wiring.noDiodeFrom
    }

    /** Whether MISO, as this node sees it, is held low by an element that it has not selected. */
    isMisoHeld(node: CabinetNode): boolean {
        const { misoHolder } = this.wiring
        return misoHolder !== undefined && node === this.controller && this.selectedBy[misoHolder] !== node
    }

    /** The elements that hear this node now. */
    selected(node: CabinetNode): Element[] {
        const elements: Element[] = []
        for (const [i, element] of this.slots.entries()) {
            if (this.selectedBy[i] !== node || !element) continue
            if (node !== this.controller)
                throw new Error(
                    `${element.name} hears ${node.name} through a switch that is with ${this.controller.name}`,
                )
            elements.push(element)
        }
        return elements
    }

    /** Those that see this node's clock, but not their select. */
    bystanders(node: CabinetNode): Element[] {
        if (node !== this.controller) return []
        return this.slots.filter((element, i) => element !== undefined && this.selectedBy[i] === undefined) as Element[]
    }

    /** Into an empty slot; with a select held low, as after a pull in the middle of a command, it is selected at once. */
    insert(index: number, element: Element, hasSupply: boolean, atNs: number): void {
        this.slots[index] = element
        if (!hasSupply) return
        element.powerUp(atNs)
        if (this.selectedBy[index]) element.select(atNs)
    }

    pull(index: number, atNs: number): void {
        this.slots[index]?.powerLost(atNs)
        this.slots[index] = undefined
    }

    powerUp(atNs: number): void {
        for (const [i, element] of this.slots.entries()) {
            element?.powerUp(atNs)
            if (this.selectedBy[i]) element?.select(atNs)
        }
    }

    powerLost(atNs: number): void {
        for (const element of this.slots) element?.powerLost(atNs)
    }

    private pinOf(node: CabinetNode, index: number) {
        if (node === this.home) return ownSelect(index)
        const isSwapped = this.wiring.partnerSelectsSwapped && index < 2
        return foreignSelect(isSwapped ? 1 - index : index)
    }

    private wants(node: CabinetNode, index: number): boolean {
        return node.driven(this.pinOf(node, index)) === 0
    }
}
