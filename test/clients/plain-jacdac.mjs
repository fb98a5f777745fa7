// A program of somebody who has jacdac-ts and never heard of Twinfiler: prints the devices that serve a service class, as JSON, when
// there are COUNT of them. `node plain-jacdac.mjs URL CLASS COUNT`

import { createWebSocketTransport, JDBus } from "jacdac-ts"
import { WebSocket } from "ws"

console.debug = () => undefined
globalThis.WebSocket = WebSocket
const [url, serviceClass, count] = process.argv.slice(2)
const waitMsMax = 20_000
const pollMs = 50
const transport = createWebSocketTransport(url, { protocols: [], WebSocket })
const bus = new JDBus([transport], { client: false, disableRoleManager: true })
bus.start()
await bus.connect(true)
const found = () => bus.services({ serviceClass: Number(serviceClass) })
for (let waitedMs = 0; found().length < Number(count) && waitedMs < waitMsMax; waitedMs += pollMs)
    await new Promise(resolve => setTimeout(resolve, pollMs))
console.log(JSON.stringify(found().map(service => ({ device: service.device.deviceId, index: service.serviceIndex }))))
process.exit(0)
