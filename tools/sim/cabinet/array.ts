// The chips of one array behind its bus switch. Kept true: the pins of exactly one node reach the chips, the one OWN of the
// home node selects: high, the home node through its E selects; low, the partner through its F selects. Select lines have
// pull-ups on the chips' side, so a node that drives nothing selects nothing.

import type { SpiNor } from "../chips/spi-nor"
import { Violation, type ReportViolation } from "../chips/violation"
import type { CabinetNode } from "./node"
import { foreignSelect, ownSelect } from "./pins"

export class CabinetArray {
    /** Where a chip was pulled out there is none */
    readonly chips: (SpiNor | undefined)[]
    private controller: CabinetNode
    private readonly selectedBy: (CabinetNode | undefined)[]

    constructor(
        readonly home: CabinetNode,
        readonly partner: CabinetNode,
        chips: SpiNor[],
        private readonly report: ReportViolation,
    ) {
        this.chips = [...chips]
        this.selectedBy = chips.map(() => undefined)
        this.controller = partner
    }

    get name(): string {
        return this.home.name
    }

    /** The node whose pins the switch lets through; it need not be alive. */
    get reaches(): CabinetNode {
        return this.controller
    }

    /** OWN of the home node changed, or a node died: puts the switch where it belongs. */
    updateSwitch(atNs: number): void {
        const next = this.home.own.latest === 1 ? this.home : this.partner
        if (next === this.controller) return
        for (const node of [this.controller, next])
            for (let i = 0; i < this.chips.length; i++)
                if (this.wants(node, i))
                    this.report(
                        new Violation(
                            `${this.name}.switch`,
                            `the switch flips to ${next.name} while ${node.name} holds ${this.pinOf(node, i)} low`,
                            atNs,
                        ),
                    )
        this.controller = next
        this.updateSelects(atNs)
    }

    updateSelects(atNs: number): void {
        for (let i = 0; i < this.chips.length; i++) {
            const node = this.wants(this.controller, i) ? this.controller : undefined
            const before = this.selectedBy[i]
            if (node === before) continue
            // Noted first: the end of a command may cut the power from within
            this.selectedBy[i] = node
            if (before) this.chips[i]?.deselect(atNs)
            if (node) this.chips[i]?.select(atNs)
        }
    }

    /** The chips that hear this node now. */
    selectedChips(node: CabinetNode): SpiNor[] {
        const chips: SpiNor[] = []
        for (let i = 0; i < this.chips.length; i++) {
            const chip = this.chips[i]
            if (this.selectedBy[i] !== node || !chip) continue
            if (node !== this.controller)
                throw new Error(`${chip.name} hears ${node.name} through a switch that is with ${this.controller.name}`)
            chips.push(chip)
        }
        return chips
    }

    powerUp(atNs: number): void {
        for (const [i, chip] of this.chips.entries()) {
            chip?.powerUp(atNs)
            if (this.selectedBy[i]) chip?.select(atNs)
        }
    }

    powerLost(atNs: number): void {
        for (const chip of this.chips) chip?.powerLost(atNs)
    }

    private pinOf(node: CabinetNode, index: number) {
        return node === this.home ? ownSelect(index) : foreignSelect(index)
    }

    private wants(node: CabinetNode, index: number): boolean {
        return node.driven(this.pinOf(node, index)) === 0
    }
}
