// The hardware suite names what is wrong: simulated cabinets, each with one mistake of a builder's from its first power-up, and the tests that are to find it.

import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { miswiringNames, type Miswiring } from "../../tools/sim/cabinet/miswired"

interface Expected {
    /** Of the titles of the tests that run. */
    grep: string
    /** The one that names it, and its words. */
    named: string
    words: RegExp
    /** Those that must not be misled. */
    ok: string[]
}

const elements = "array [ab]: every element"
const expected: Record<Miswiring, Expected> = {
    "selects-swapped": {
        grep: `${elements}|by asking`,
        named: "b takes array a by asking",
        words: /selects do not agree, a finds element 0 at E0 and 1 at F0, 1 at E1 and 0 at F1 of b/,
        ok: ["array a: every", "array b: every", "a takes array b by asking"],
    },
    "miso-held": {
        grep: `both nodes|${elements}`,
        named: "array a: every",
        words: /an element goes on driving MISO/,
        ok: ["both nodes beat"],
    },
    "own-floats": {
        grep: `${elements}|by (asking|force)`,
        named: "b takes array a by force",
        words: /OWN of a stays high while a is in reset: it has no pull-down/,
        ok: ["array a: every", "array b: every", "b takes array a by asking", "a takes array b by force"],
    },
    "hold-floats": {
        grep: `${elements}|starts alone`,
        named: "a starts alone",
        words: /a waits for b, which has no power: HOLD of b has no pull-down/,
        ok: ["array a: every", "array b: every", "b starts alone"],
    },
    "own-open": {
        grep: `${elements}|at rest`,
        named: "at rest nobody takes over",
        words: /b took array a though nobody asked: OWN of a does not reach b/,
        ok: ["array b: every"],
    },
    "hold-open": {
        grep: `${elements}|by asking`,
        named: "b takes array a by asking",
        words: /HOLD of b does not reach a: it is not asked to let go/,
        ok: ["array a: every", "array b: every", "a takes array b by asking"],
    },
    "reset-open": {
        grep: `${elements}|by (asking|force)`,
        named: "b takes array a by force",
        words: /RESET of b does not reach the reset pin of a/,
        ok: ["array a: every", "b takes array a by asking", "a takes array b by asking", "a takes array b by force"],
    },
    "diode-missing": {
        grep: `${elements}|by asking|without power: . serves`,
        named: "a without power: b serves",
        words: /b cannot read array a: no diode from b to array a/,
        ok: ["array a: every", "array b: every", "b takes array a by asking", "b without power: a serves"],
    },
    "wires-long": {
        grep: `${elements}|home board reads`,
        named: "array b: its home board reads",
        words: /array b by b: read wrong: element 0 at 20.84, 31.25 MHz; element 1 .* the clock in use is 16 MHz: shorten/,
        ok: ["array a: every", "array b: every", "array a: its home board reads"],
    },
    "chip-silent": {
        grep: elements,
        named: "array b: every",
        words: /array b cannot be read by b: one of its elements does not answer.*b finds nor ef4018 in slot 1, nothing in slot 0, 2/,
        ok: ["array a: every"],
    },
    "chip-lies": {
        grep: `${elements}|bit patterns`,
        named: "array a: bit patterns",
        words: /an element was given up while it was used: .*what was written to it is not there/,
        ok: ["array a: every", "array b: every", "array b: bit patterns"],
    },
}

/** Titles by result, and all that was printed. */
function runSuite(
    fault: Miswiring,
    grep: string,
    chip: string,
): Promise<{ ok: string[]; failed: string[]; out: string }> {
    return new Promise((resolve, reject) => {
        const args = ["tools/project/hw-tests.mjs", "--miswired", fault, "--chip", chip, "--grep", grep]
        const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
        let out = ""
        child.stdout.on("data", (text: Buffer) => (out += String(text)))
        child.on("error", reject)
        child.on("close", () => {
            const titles = (word: string) =>
                [...out.matchAll(new RegExp(`^${word} .*hardware: [^:]*: (.*)$`, "gm"))].map(([, title]) => title)
            resolve({ ok: titles("ok  "), failed: titles("FAIL"), out })
        })
    })
}

describe("hw-tests on a cabinet with a fault", function () {
    this.timeout(300_000)

    const cases = miswiringNames.map(fault => ({ fault, chip: "W25Q128JV", of: "" }))
    cases.push({ fault: "chip-lies", chip: "SDHC-4GB", of: " of a card" })
    for (const { fault, chip, of } of cases) {
        const { grep, named, words, ok } = expected[fault]
        it(`${fault}${of} is named by "${named}" [R17 R20 R24]`, async () => {
            const result = await runSuite(fault, grep, chip)
            const what = `failed: ${result.failed.join("; ")}\nok: ${result.ok.join("; ")}\n${result.out}`
            assert.ok(
                result.failed.some(title => title.startsWith(named)),
                what,
            )
            assert.match(result.out, words)
            if (fault !== "wires-long") assert.doesNotMatch(result.out, /read wrong/)
            for (const title of ok)
                assert.ok(
                    result.ok.some(each => each.startsWith(title)),
                    `${title}: ${what}`,
                )
        })
    }
})
