// The node's place on the bus: a Jacdac device of its program, with the control service and the file service. The stock server library would
// do the same for any services, and take 4 KB of the 64 (docs/decisions/0006).

import * as ds from "@devicescript/core"

type Native = { _serverSend(serviceIndex: number, pkt: ds.Packet): Promise<void> }
const native = ds as any as Native

/** Of the file service; the control service has 0. */
export const serviceIndex = 1

// a role can only be of a class whose specification is in the image
ds.keep(ds.Twinfiler.spec)
ds.keep(ds.Twinfiler1.spec)
ds.keep(ds.Twinfiler2.spec)
ds.keep(ds.Twinfiler3.spec)

const announceMs = 500
const commandReset = 0x82
/** An announcement counts the ones before it, up to here. */
const countMax = 15
const supportsAck = 0x100

/** Tells twice a second, for ever, what services there are. */
export async function announce(fileService: number): Promise<void> {
    const report = ds.Control.spec.lookup("announce").response
    let count = 1
    for (;;) {
        await ds.sleep(announceMs)
        if (count < countMax) count++
        await native._serverSend(0, report.encode([count | supportsAck, 0, 0, fileService]))
    }
}

/** A command to the control service. */
export async function answerControl(pkt: ds.Packet): Promise<void> {
    if (pkt.serviceCommand === commandReset) ds.reboot()
    else await native._serverSend(0, pkt.notImplemented())
}
