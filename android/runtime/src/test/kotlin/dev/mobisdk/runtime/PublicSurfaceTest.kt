package dev.mobisdk.runtime

import org.junit.Assert.assertEquals
import org.junit.Test
import java.io.File
import kotlin.metadata.KmClass
import kotlin.metadata.KmConstructor
import kotlin.metadata.KmFunction
import kotlin.metadata.KmProperty
import kotlin.metadata.Visibility
import kotlin.metadata.jvm.KotlinClassMetadata
import kotlin.metadata.jvm.getterSignature
import kotlin.metadata.jvm.signature
import kotlin.metadata.visibility

/** `runtime/api/runtime.api` is what apps may use: whoever changes it sees so in the difference. */
class PublicSurfaceTest {
    @Test
    fun `the public surface is the one that is written down`() {
        val written = File(ContractFiles.directory, "../../android/runtime/api/runtime.api")
        val found = listSurface()
        if (!written.exists() || written.readText() != found) {
            val proposal = File(written.parentFile.parentFile.parentFile, "build/runtime.api")
            proposal.parentFile.mkdirs()
            proposal.writeText(found)
            println("the public surface changed; if that is meant: cp android/build/runtime.api android/runtime/api/runtime.api")
        }
        assertEquals(written.readText(), found)
    }

    private fun listSurface(): String {
        val root =
            File(
                MobiError::class.java.protectionDomain.codeSource.location
                    .toURI(),
            )
        val files = root.walk().filter { it.extension == "class" }.sortedBy { it.path }
        return files.joinToString("") {
            describe(
                it
                    .relativeTo(root)
                    .invariantSeparatorsPath
                    .removeSuffix(".class")
                    .replace('/', '.'),
            )
        }
    }

    private fun describe(name: String): String {
        val type = Class.forName(name, false, javaClass.classLoader)
        val annotation = type.getAnnotation(Metadata::class.java) ?: return ""
        val lines =
            when (val metadata = KotlinClassMetadata.readStrict(annotation)) {
                is KotlinClassMetadata.Class -> metadata.kmClass.takeIf { isPublic(type, it) }?.let(::membersOf) ?: return ""
                is KotlinClassMetadata.FileFacade -> functionsOf(metadata.kmPackage.functions) + propertiesOf(metadata.kmPackage.properties)
                else -> return ""
            }
        return if (lines.isEmpty()) "" else "$name\n" + lines.sorted().joinToString("") { "    $it\n" }
    }

    /** Public, and so is whatever it is nested in. */
    private fun isPublic(
        type: Class<*>,
        found: KmClass,
    ): Boolean {
        if (found.visibility != Visibility.PUBLIC || type.simpleName.startsWith("$")) return false
        val outer = type.enclosingClass?.getAnnotation(Metadata::class.java) ?: return type.enclosingClass == null
        val metadata = KotlinClassMetadata.readStrict(outer)
        return metadata is KotlinClassMetadata.Class && metadata.kmClass.visibility == Visibility.PUBLIC
    }

    private fun membersOf(type: KmClass): List<String> =
        constructorsOf(type.constructors) + functionsOf(type.functions) + propertiesOf(type.properties)

    private fun constructorsOf(all: List<KmConstructor>) = all.filter { it.visibility == Visibility.PUBLIC }.map { it.signature.toString() }

    private fun functionsOf(all: List<KmFunction>) = all.filter { it.visibility == Visibility.PUBLIC }.map { it.signature.toString() }

    private fun propertiesOf(all: List<KmProperty>) =
        all.filter { it.visibility == Visibility.PUBLIC }.map { "val ${it.getterSignature ?: it.name}" }
}
