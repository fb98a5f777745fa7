/** A WebDAV door over a fake cabinet in real time. Requests go out with paths and headers exactly as given, which `fetch` would tidy. */
import assert from "node:assert/strict"
import * as http from "node:http"
import { Readable } from "node:stream"
import { connectBus, realClock, realRandom } from "../../tools/bridge/bus"
import { TwinfilerClient } from "../../tools/bridge/client"
import { startWebdav } from "../../tools/bridge/webdav/server"
import { startFakeServer } from "./fake-server"

export interface Answer {
    status: number
    headers: http.IncomingHttpHeaders
    body: Buffer
}

export type WebdavBench = Awaited<ReturnType<typeof startWebdavBench>>

export async function startWebdavBench(volume?: number) {
    const fake = await startFakeServer()
    const bus = await connectBus(fake.url)
    const client = new TwinfilerClient(bus, { clock: realClock, random: realRandom })
    await client.ready()
    const server = await startWebdav(client, { host: "127.0.0.1", port: 0, now: () => 1_700_000_000, volume })
    const { hostname, port, origin, host } = new URL(server.url)

    /** @param held the last byte of the body waits for it */
    const ask = (
        method: string,
        path: string,
        headers: Record<string, string> = {},
        body?: Buffer | string,
        held?: Promise<void>,
    ) =>
        new Promise<Answer>((resolve, reject) => {
            const request = http.request({ hostname, port, method, path, headers, agent: false }, response => {
                const pieces: Buffer[] = []
                response.on("data", piece => pieces.push(piece))
                response.on("end", () =>
                    resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(pieces) }),
                )
            })
            request.on("error", reject)
            if (held) {
                request.write(body!.slice(0, -1))
                void held.then(() => request.end(body!.slice(-1)))
            } else request.end(body)
        })

    return {
        fake,
        client,
        origin,
        host,
        ask,
        statusOf: async (method: string, path: string, headers: Record<string, string> = {}, body?: Buffer | string) =>
            (await ask(method, path, headers, body)).status,
        /** A PUT that has begun at the volume and ends with `finish`, which returns its status. */
        beginPut: async (path: string, headers: Record<string, string>, body: Buffer) => {
            let release = () => {}
            const answer = ask("PUT", path, headers, body, new Promise<void>(resolve => (release = resolve)))
            const { uploads } = fake.cabinet.volumes[0]
            while (uploads.size === 0) await new Promise(resolve => setTimeout(resolve, 1))
            return {
                finish: async () => {
                    release()
                    return (await answer).status
                },
            }
        },
        /** Stores files below volume a, and the directories they lie in. */
        plant: async (...paths: string[]) => {
            for (const path of paths) {
                const above = path.split("/").slice(0, -1).join("/")
                if (above) await client.mkdirs(0, above, { mtime: 1 })
                await client.put(0, path, Readable.from([Buffer.from(path)]), { mtime: 1 })
            }
        },
        /** Of volume a, and whole. */
        assertThere: (paths: readonly string[], message: string) => {
            for (const path of paths)
                assert.equal(fake.cabinet.volumes[0].file(path)?.toString(), path, `${message}: ${path}`)
        },
        close: async () => {
            await server.close()
            await client.close()
            await bus.close()
            fake.close()
        },
    }
}
