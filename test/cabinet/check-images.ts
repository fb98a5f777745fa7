// What the check tool says of an array of a simulated cabinet.

import assert from "node:assert/strict"
import { checkArray, MemoryImage, PageChecks, type ProblemCode, type Report } from "../../tools/check"
import type { SimSession } from "../../tools/sim/session"

const pageChecks = new PageChecks()

/** The check tool looks at an array of a session. @param dead an element that is not there, as `a:1`. @returns its report, with no fault in it */
export function checkImages(session: SimSession, node: string, elements: number, dead?: string): Report {
    const { cabinet } = session.simulation
    const slots = Array.from({ length: elements }, (_, slot) => slot).filter(slot => `${node}:${slot}` !== dead)
    const images = slots.map(slot => {
        const element = cabinet.element(`${node}:${slot}`)
        return new MemoryImage(element.peek(0, element.part.bytes), element.name, slot)
    })
    const report = checkArray(images, { pageChecks })
    const allowed: ProblemCode[] = ["row-weak"]
    if (dead?.startsWith(`${node}:`)) allowed.push("element-missing")
    const said = [...report.faults, ...report.degraded.filter(({ code }) => !allowed.includes(code))]
    assert.ok(report.isReadable, `${node}: not readable`)
    assert.deepEqual(
        said.map(({ code, message }) => `${node}: ${code}: ${message}`),
        [],
    )
    return report
}
