// The flash of a board that was flashed with a program at the bench: what the VM itself writes when the program is deployed to it.

import { createHash } from "node:crypto"
import { flashBytes, VmInstance } from "./vm/vm-instance"

const cached = new Map<string, Uint8Array>()

/** A fresh copy each time. */
export function programFlash(image: Uint8Array): Uint8Array {
    const key = createHash("sha256").update(image).digest("hex")
    let flash = cached.get(key)
    if (!flash) {
        flash = deployed(image)
        cached.set(key, flash)
    }
    return flash.slice()
}

function deployed(image: Uint8Array): Uint8Array {
    const flash = new Uint8Array(flashBytes).fill(0xff)
    const vm = new VmInstance({
        micros: () => 1000,
        randomBytes: n => new Uint8Array(n),
        flash,
        flashSave: bytes => flash.set(bytes),
        log: () => {},
        panic: () => {},
        frameSending: () => {},
        native: () => {},
    })
    vm.start("0000000000000001", 1)
    const refused = vm.deploy(image)
    if (refused !== 0) throw new Error(`the VM refuses the program image of ${image.length} bytes: ${refused}`)
    return flash
}
