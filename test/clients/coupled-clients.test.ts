// Two pairs on one simulated bus, over real sockets: the command line, WebDAV and a plain Jacdac program see all volumes, and one pair's
// failover goes by unnoticed at the other.

import assert from "node:assert/strict"
import { join } from "node:path"
import { serviceClassOf } from "../../tools/bridge/protocol/numbers"
import { CabinetProcess } from "./cabinet-process"
import { runClient } from "./real-client"

describe("two pairs, over sockets", function () {
    this.timeout(300_000)
    let cabinet: CabinetProcess
    let url: string

    before(async () => {
        cabinet = await CabinetProcess.start("--pairs", "2")
        url = await cabinet.serveWebdav()
        await cabinet.until("four nodes serve", status => status.ok && status.nodes.length === 4)
    })
    after(() => cabinet?.close())

    const http = async (method: string, path: string, body?: Buffer) => {
        const answer = await fetch(url + path, { method, body, headers: { depth: "1" } })
        return { status: answer.status, body: Buffer.from(await answer.arrayBuffer()) }
    }
    const bytes = (volume: string) => Buffer.from(`${volume} `.repeat(3_000))

    it("status, ls and df show the volumes of both pairs; one that is not there is named, with those that are [R13] [R33]", async () => {
        const status = JSON.parse(await cabinet.verb(["status", "--json"]))
        assert.deepEqual(
            status.volumes.map(({ volume, controller }: Record<string, string>) => volume + controller),
            ["aa", "bb", "cc", "dd"],
        )
        assert.equal(await cabinet.verb(["ls", ":/"]), "a/\nb/\nc/\nd/\n")
        assert.equal(JSON.parse(await cabinet.verb(["df", "--json"])).volumes.length, 4)
        const { exitCode, err } = await cabinet.twinfiler("ls", ":/e")
        assert.equal(exitCode, 3)
        assert.match(err, /no volume e on this bus; there is a, b, c, d/)
    })

    it("a plain Jacdac program finds two services of each pair's class [R4] [R13]", async () => {
        const script = join(import.meta.dirname, "plain-jacdac.mjs")
        for (const pair of [0, 1]) {
            const args = [script, cabinet.webSocketUrl, String(serviceClassOf(pair)), "2"]
            const { exitCode, out, err } = await runClient(process.execPath, args)
            assert.equal(exitCode, 0, err)
            assert.equal(JSON.parse(out).length, 2)
        }
    })

    it("WebDAV: the root lists four volumes; files go to either pair, also while a board of one is dead [R13] [R18]", async () => {
        const root = (await http("PROPFIND", "")).body.toString()
        for (const volume of "abcd") assert.match(root, new RegExp(`<[^>]*href>[^<]*/${volume}/</`))
        for (const volume of "abcd") assert.equal((await http("PUT", `${volume}/file`, bytes(volume))).status, 201)
        await cabinet.verb(["power", "a", "off"])
        await Promise.all(
            [..."abcd"].map(async volume => {
                assert.equal((await http("PUT", `${volume}/second`, bytes(volume))).status, 201)
                assert.ok((await http("GET", `${volume}/file`)).body.equals(bytes(volume)), volume)
            }),
        )
        const status = JSON.parse(await cabinet.verb(["status", "--json"], [4]))
        assert.deepEqual(
            status.volumes.map(({ volume, controller }: Record<string, string>) => volume + controller),
            ["ab", "bb", "cc", "dd"],
        )
        assert.equal((await http("GET", "e/file")).status, 404)
        await cabinet.verb(["power", "a", "on"])
        await cabinet.until("a waits", now => now.nodes.some(({ node, role }) => node === "a" && role === "waiting"))
        await cabinet.verb(["giveback", "b"])
        for (const volume of "abcd")
            assert.ok((await http("GET", `${volume}/second`)).body.equals(bytes(volume)), volume)
        await cabinet.verb(["mv", ":/c/file", ":/a/from-c"])
        assert.equal(await cabinet.verb(["cat", ":/a/from-c"]), bytes("c").toString())
    })
})
