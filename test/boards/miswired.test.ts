// The hardware suite names what is wrong: chips of a simulated cabinet that stop answering, each found by the test that is to find it, and by no other array's.

import assert from "node:assert/strict"
import { spawn } from "node:child_process"
import { WebSocket } from "ws"
import { CabinetProcess } from "../clients/cabinet-process"

function control(bus: string, request: object): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
        const socket = new WebSocket(new URL("/control", bus))
        socket.on("open", () => socket.send(JSON.stringify(request)))
        socket.on("error", reject)
        socket.on("message", text => {
            socket.close()
            resolve(JSON.parse(String(text)) as Record<string, unknown>)
        })
    })
}

/** Titles by result, of the tests about arrays. */
function runSuite(bus: string): Promise<{ ok: string[]; failed: string[] }> {
    return new Promise((resolve, reject) => {
        const args = ["tools/project/hw-tests.mjs", "--bus", bus, "--grep", "array [ab]: (every|bit)"]
        const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] })
        let out = ""
        child.stdout.on("data", (text: Buffer) => (out += String(text)))
        child.on("error", reject)
        child.on("close", () => {
            const titles = (word: string) =>
                [...out.matchAll(new RegExp(`^${word} .*(array [ab]: (?:every|bit))`, "gm"))].map(([, title]) => title)
            resolve({ ok: titles("ok  "), failed: titles("FAIL") })
        })
    })
}

describe("hw-tests on a cabinet with a fault", function () {
    this.timeout(300_000)
    const all = ["array a: every", "array b: every", "array a: bit", "array b: bit"]

    for (const { what, element, action, named } of [
        { what: "a chip whose answers do not arrive", element: "a:1", action: "silent", named: "array a: bit" },
        { what: "a chip that does not answer", element: "b:0", action: "silent", named: "array b: bit" },
    ])
        it(`${what} is named [R17 R20 R24]`, async () => {
            const cabinet = await CabinetProcess.start()
            try {
                await cabinet.until("both serve", ({ nodes }) => nodes.filter(({ heard }) => heard).length === 2)
                const answer = await control(cabinet.webSocketUrl, { element, do: action })
                assert.equal(answer.ok, true, JSON.stringify(answer))
                const { ok, failed } = await runSuite(cabinet.webSocketUrl)
                assert.ok(failed.includes(named), `failed: ${failed}; ok: ${ok}`)
                assert.ok(
                    failed.every(title => title[6] === element[0]),
                    `failed: ${failed}`,
                )
                assert.deepEqual([...ok, ...failed].sort(), [...all].sort())
            } finally {
                await cabinet.close()
            }
        })
})
