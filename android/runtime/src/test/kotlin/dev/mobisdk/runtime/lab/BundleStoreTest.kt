package dev.mobisdk.runtime.lab

import dev.mobisdk.runtime.BundleError
import dev.mobisdk.runtime.ConfigError
import dev.mobisdk.runtime.ContractFiles
import dev.mobisdk.runtime.DeviceError
import dev.mobisdk.runtime.ModelBundle
import dev.mobisdk.runtime.ServerError
import dev.mobisdk.runtime.androidBundle
import dev.mobisdk.runtime.applyEdits
import dev.mobisdk.runtime.get
import dev.mobisdk.runtime.items
import dev.mobisdk.runtime.string
import dev.mobisdk.runtime.withFolder
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.ByteArrayInputStream
import java.io.File
import java.nio.file.Files
import java.nio.file.Paths

class BundleStoreTest {
    private val folder = File(ContractFiles.directory, "bundles/android")
    private val apple = File(ContractFiles.directory, "bundles/ios")
    private val bundle = androidBundle
    private val bundleId = bundle.manifest.bundleId
    private val modelPath = "/v1/bundles/$bundleId/files/model.pte"
    private val manifestPath = "/v1/bundles/$bundleId/files/manifest.json"
    private val server = FakeServer(folder)
    private val client = LabClient(server, "a-token")
    private val waits = FakeWaits()

    private fun BundleStore.names() = list().bundles.map { it.name }

    @Test
    fun `a bundle is copied whole, once`() {
        withFolder { place ->
            val store = BundleStore(File(place, "deep/store"))
            assertEquals(emptyList<String>(), store.names())
            val added = store.add(folder)
            added.verifyFiles()
            assertEquals(added.directory, store.add(folder).directory)
            assertEquals(listOf(bundle.name), store.names())
            File(added.directory, "labels.txt").writeText("dog\ncat\n")
            store.add(folder).verifyFiles() // a damaged twin gives way
            File(added.directory, "stranger").writeText("x")
            assertEquals(listOf(bundle.name), store.list().damaged.map { it.name })
            assertTrue(store.list().damaged[0].error is BundleError)
            store.add(folder).verifyFiles()
        }
    }

    @Test
    fun `the bundle that was not used for longest makes room`() {
        val ios = ModelBundle.open(apple)
        for (touched in listOf(bundle, ios)) {
            withFolder { place ->
                val third = withoutSpec(File(place, "third"))
                val all = BundleStore(File(place, "store"))
                val added = listOf(all.add(folder), all.add(apple))
                all.touch(added.first { it.name == touched.name })
                val store = BundleStore(File(place, "store"), largestBytes = touched.manifest.sizeBytes + third.manifest.sizeBytes)
                store.add(third.directory)
                assertEquals(setOf(touched.name, third.name), store.names().toSet())
            }
        }
    }

    @Test
    fun `a bundle that is larger than the store is refused, and nothing goes for it`() {
        withFolder { place ->
            val tiny = BundleStore(place, largestBytes = 10)
            val error = assertThrows(DeviceError::class.java) { tiny.add(folder) }
            assertEquals(
                "${bundle.name} is larger than this app keeps, got ${bundle.manifest.sizeBytes} bytes; allowed: 10 bytes",
                error.message,
            )
            assertThrows(ConfigError::class.java) { tiny.remove(bundle) }
        }
    }

    /** The contract's third good bundle. */
    private fun withoutSpec(place: File): ModelBundle {
        val case = ContractFiles.json("bundles/cases.json").items.single { it["name"].string == "good_network_without_spec" }
        folder.copyRecursively(place)
        val manifest = File(place, "manifest.json")
        manifest.writeBytes(applyEdits(manifest.readBytes(), case["manifest_edits"].items))
        return ModelBundle.open(place)
    }

    @Test
    fun `a download is fetched once, and tells its progress`() {
        withFolder { place ->
            val told = ArrayList<Double>()
            val store = BundleStore(place)
            store.download(bundleId, client, waits.policy) { told += it }.verifyFiles()
            assertEquals(1.0, told.last(), 0.0)
            assertEquals(told.sorted(), told)
            val requests = server.requests.size
            store.download(bundleId, client, waits.policy)
            assertEquals(requests, server.requests.size)
            assertThrows(ConfigError::class.java) { store.download("../$bundleId", client) }
        }
    }

    @Test
    fun `storage that fills up in the middle of a download is said, and the rest comes later`() {
        withFolder { place ->
            val store = BundleStore(place)
            // The file's place is a device that takes no byte.
            val partial = File(place, ".partial-$bundleId").apply { mkdirs() }
            val full = Files.createSymbolicLink(File(partial, "model.pte").toPath(), Paths.get("/dev/full"))
            val error = assertThrows(DeviceError::class.java) { store.download(bundleId, client, waits.policy) }
            assertTrue(error.message!!, error.message!!.startsWith("the bundle cannot be stored: "))
            assertTrue(error.message!!, error.message!!.endsWith("Free some space and try again"))
            assertEquals(emptyList<String>(), store.names())
            val requests = server.requestsTo("/v1/bundles/$bundleId/files/golden_input.u8").size
            Files.delete(full)
            store.download(bundleId, client, waits.policy).verifyFiles()
            assertEquals(
                "what is here does not come again",
                requests,
                server.requestsTo("/v1/bundles/$bundleId/files/golden_input.u8").size,
            )
        }
    }

    @Test
    fun `a server that goes away in the middle of a file is gone on with`() {
        withFolder { place ->
            val store = BundleStore(place)
            val content = File(folder, "model.pte").readBytes()
            repeat(9) { server.intercept(modelPath) { throw ServerError("the lab server cannot be reached: gone") } }
            assertThrows(ServerError::class.java) { store.download(bundleId, client, waits.policy) }
            assertEquals(emptyList<String>(), store.names())
            server.interceptions.clear()
            server.intercept(modelPath) { HttpAnswer(200, emptyMap(), BreakingStream(content.copyOf(10))) }
            store.download(bundleId, client, waits.policy).verifyFiles()
            assertEquals("bytes=10-", server.requestsTo(modelPath).last().headers["Range"])
        }
    }

    @Test
    fun `a manifest that is cut, too large, another bundle's or a web page is no bundle's`() {
        withFolder { place ->
            val store = BundleStore(place)
            val manifest = File(folder, "manifest.json").readBytes()
            server.intercept(
                manifestPath,
            ) { HttpAnswer(200, mapOf("Content-Length" to "${manifest.size}"), ByteArrayInputStream(manifest, 0, 99)) }
            server.intercept(
                manifestPath,
            ) { FakeServer.answer(200, mapOf("Content-Type" to "text/html; charset=utf-8"), "<p>".toByteArray()) }
            store.download(bundleId, client, waits.policy).verifyFiles()
            assertEquals(3, server.requestsTo(manifestPath).size)
        }
        withFolder { place ->
            val other = FakeServer(apple)
            val error = assertThrows(ServerError::class.java) { BundleStore(place).download(bundleId, LabClient(other, "t"), waits.policy) }
            assertTrue(error.message!!, error.message!!.startsWith("the server sent another bundle, got "))
            server.intercept(manifestPath) { FakeServer.answer(200, emptyMap(), ByteArray(1024 * 1024 + 1)) }
            val large = assertThrows(ServerError::class.java) { BundleStore(place).download(bundleId, client, waits.policy) }
            assertTrue(large.message!!, large.message!!.startsWith("the server's answer is too large, got more than 1048576 bytes"))
            server.intercept(manifestPath) { FakeServer.json("{}") }
            assertThrows(BundleError::class.java) { BundleStore(place).download(bundleId, client, waits.policy) }
        }
    }

    @Test
    fun `names in another script are percent-encoded part by part`() {
        val paths = ArrayList<String>()
        val listening =
            HttpTransport {
                paths += it.path
                FakeServer.problem(404)
            }
        for (path in listOf("model.mlpackage/Data/é ü.bin", "a+b/~c-d_e.f")) {
            assertThrows(LabRefusal.GiveUp::class.java) { LabClient(listening, null).openFile(path, bundleId, null, 0) }
        }
        assertEquals(listOf("model.mlpackage/Data/%C3%A9%20%C3%BC.bin", "a%2Bb/~c-d_e.f"), paths.map { it.substringAfter("/files/") })
    }
}
