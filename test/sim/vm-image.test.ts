import assert from "node:assert/strict"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { checkVmWasm, readVmWasm, vmImage } from "../../tools/sim/vm/vm-image"
import { WasmFile } from "../../tools/sim/vm/wasm-patch"

describe("VM image", () => {
    it("another VM: one changed byte is refused by name of the version [R37]", () => {
        const wasm = Uint8Array.from(readVmWasm())
        checkVmWasm(wasm)
        wasm[wasm.length >> 1] ^= 1
        assert.throws(() => checkVmWasm(wasm), /knows the VM of @devicescript\/cli 2\.16\.4.*found sha256/s)
    })

    it("another package: a bundle without a VM is refused", () => {
        const folder = mkdtempSync(join(tmpdir(), "twinfiler-test-"))
        const path = join(folder, "bundle.cjs")
        writeFileSync(path, "module.exports = {}")
        assert.throws(() => readVmWasm(path), /no DeviceScript VM found/)
        rmSync(folder, { recursive: true })
    })

    it("patch: a missing function or a pattern that is not unique stops it", () => {
        const file = new WasmFile(readVmWasm())
        const nothing = { entry: {}, body: {}, after: [], exports: [], extraPages: 0 }
        assert.throws(() => file.apply({ ...nothing, body: { no_such_function: [] } }), /no function no_such_function/)
        const after = [{ fn: "devs_vm_exec_opcodes", pattern: "41", code: [] }]
        assert.throws(() => file.apply({ ...nothing, after }), /pattern not once/)
    })

    it("one compiled module serves all boards of a process", () => {
        assert.equal(vmImage(), vmImage())
    })
})
