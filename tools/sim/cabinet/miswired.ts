// What builders get wrong, each as one fault of a simulated cabinet from before its first power-up, so that the hardware suite can show
// that it finds them. All are at the first pair.

import type { Cabinet } from "./cabinet"

export const miswirings = {
    "selects-swapped": "board b's F0 and F1 are exchanged: it finds array a's elements in each other's slots",
    "miso-held": "element 1 of array a goes on driving MISO when it is not selected",
    "own-floats": "OWN of a has no pull-down: high while a is in reset or without power",
    "hold-floats": "HOLD of b has no pull-down: high while b is in reset or without power",
    "own-open": "OWN of a does not reach b",
    "hold-open": "HOLD of b does not reach a",
    "reset-open": "RESET of b does not reach a",
    "diode-missing": "array a has no diode from board b: it dies with board a",
    "wires-long": "the wires to array b are so long that above 18 MHz its bits come late: at 15.6 MHz all works, just",
    "chip-silent": "element 0 of array b does not answer: its select, clock or output is not connected",
    "chip-lies": "element 1 of array a acknowledges what it is to write, and does nothing",
} as const

export type Miswiring = keyof typeof miswirings
export const miswiringNames = Object.keys(miswirings) as Miswiring[]

export function miswire(cabinet: Cabinet, fault: Miswiring): void {
    const nowNs = 0
    switch (fault) {
        case "selects-swapped":
            return cabinet.miswire("a", { partnerSelectsSwapped: true })
        case "miso-held":
            return cabinet.miswire("a", { misoHolder: 1 })
        case "own-floats":
            return cabinet.faultLine("a", "OWN", "floats", nowNs)
        case "hold-floats":
            return cabinet.faultLine("b", "HOLD", "floats", nowNs)
        case "own-open":
            return cabinet.faultLine("a", "OWN", "cut", nowNs)
        case "hold-open":
            return cabinet.faultLine("b", "HOLD", "cut", nowNs)
        case "reset-open":
            return cabinet.faultLine("b", "RESET", "cut", nowNs)
        case "diode-missing":
            return cabinet.leaveOutDiode("a", "b")
        case "wires-long":
            return cabinet.miswire("b", { promptHz: 18e6 })
        case "chip-silent":
            cabinet.element("b:0").faults.silent = true
            return
        case "chip-lies":
            cabinet.element("a:1").faults.dropsWrites = 1
    }
}
