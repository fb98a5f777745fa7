// At which SPI clocks a board reads the elements of an array right: each one's label, read at each step and compared with what it is at the
// clock in use. The node reads; here it is asked and judged.

import { spiHz } from "../src/config"
import type { TwinfilerClient } from "../tools/bridge/client"
import type { SlotFigures } from "../tools/bridge/protocol/array-figures"
import { letter } from "./bench"

/** What an RP2040 divides its 125 MHz to; a W25Q's command 03h reads at 50 MHz at most, a card at 25. */
const stepsHz = [1_000_000, 3_900_000, 7_800_000, 12_500_000, 15_625_000, 20_840_000, 31_250_000]
const cardHzMax = 25_000_000
/** So far beyond the clock in use it must go: what works at its very edge fails on a warm day. */
const marginOf = 1.35
const readsOfStep = 3

export interface ReadClocks {
    slot: number
    /** Steps at which it was read right each time, and at which not, in Hz. */
    right: number[]
    wrong: number[]
}

/** Asks `node` for each element that answers. Throws when it does not serve the volume, or not to the end. */
export async function readAtSteps(client: TwinfilerClient, node: number, volume: number): Promise<ReadClocks[]> {
    const found: ReadClocks[] = []
    const { slots } = await client.elements(node, volume)
    for (const { slot, kind } of slots.filter(({ pages }) => pages > 0)) {
        const digestAt = async (clockHz: number) => {
            const { digest } = await client.elements(node, volume, { clockHz, slot })
            if (digest === 0)
                throw new Error(`${letter(node)} does not serve array ${letter(volume)}, so it reads nothing`)
            return digest
        }
        const usual = await digestAt(spiHz)
        const clocks: ReadClocks = { slot, right: [], wrong: [] }
        for (const stepHz of stepsHz.filter(hz => kind !== "sd" || hz <= cardHzMax)) {
            let isRight = true
            for (let i = 0; i < readsOfStep; i++) isRight = (await digestAt(stepHz)) === usual && isRight
            ;(isRight ? clocks.right : clocks.wrong).push(stepHz)
        }
        found.push(clocks)
    }
    return found
}

/** The highest step up to which all elements are read right, in MHz. */
export function rightUpTo(clocks: readonly ReadClocks[]): number {
    const wrongFrom = Math.min(Infinity, ...clocks.flatMap(({ wrong }) => wrong))
    return Math.max(0, ...stepsHz.filter(hz => hz < wrongFrom && clocks.some(({ right }) => right.includes(hz)))) / 1e6
}

/** The fault in words; undefined when every element is read right with room to spare. */
export function faultOfClocks(node: number, volume: number, clocks: readonly ReadClocks[]): string | undefined {
    const where = `array ${letter(volume)} by ${letter(node)}`
    if (clocks.length === 0) return `${where}: no element answers`
    const bad = clocks.flatMap(({ slot, wrong }) =>
        wrong.some(hz => hz <= spiHz * marginOf)
            ? [`element ${slot} at ${wrong.map(hz => hz / 1e6).join(", ")} MHz`]
            : [],
    )
    if (bad.length === 0) return undefined
    const isSlow = clocks.some(({ wrong }) => wrong.some(hz => hz <= 4e6))
    const todo = isSlow
        ? "wrong even when slow: a bad joint in SCK, MOSI or MISO, or two elements answer at once"
        : `the clock in use is ${spiHz / 1e6} MHz: shorten SCK, MOSI and MISO, lay a ground wire along, 100 nF at each chip, or lower spiHz in src/config.ts`
    return `${where}: read wrong: ${bad.join("; ")}; ${todo}`
}

/** What a node found at its selects, in words: `ef4018 in slot 0, nothing in slots 1 to 5`. */
export function identities(slots: readonly SlotFigures[]): string {
    const answer = slots.filter(({ pages }) => pages > 0)
    const silent = slots.filter(({ pages }) => pages === 0).map(({ slot }) => slot)
    const words = answer.map(({ slot, id, kind }) => `${kind} ${id.toString(16).padStart(6, "0")} in slot ${slot}`)
    if (silent.length > 0) words.push(`nothing in slot ${silent.join(", ")}`)
    return words.join(", ")
}
