import java.io.File;
import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.jacoco.core.analysis.Analyzer;
import org.jacoco.core.analysis.CoverageBuilder;
import org.jacoco.core.analysis.ICounter;
import org.jacoco.core.analysis.ISourceFileCoverage;
import org.jacoco.core.tools.ExecFileLoader;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassVisitor;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;

/**
 * Coverage strip FROM TO: copies classes without Kotlin's map of inlined lines, which Debian's JaCoCo cannot read.
 * Coverage report EXEC CLASSES SOURCES LEAST: prints the share of lines that ran, the least covered files first; exit 1
 * where it is too small.
 */
public class Coverage {
  private static final int SHOWN = 5;

  public static void main(String[] arguments) throws Exception {
    if (arguments[0].equals("strip")) {
      strip(Paths.get(arguments[1]), Paths.get(arguments[2]));
    } else {
      report(new File(arguments[1]), new File(arguments[2]), Paths.get(arguments[3]), Integer.parseInt(arguments[4]));
    }
  }

  private static void strip(Path from, Path to) throws IOException {
    Files.walkFileTree(
        from,
        new SimpleFileVisitor<Path>() {
          @Override
          public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
            Path target = to.resolve(from.relativize(file).toString());
            Files.createDirectories(target.getParent());
            byte[] content = Files.readAllBytes(file);
            Files.write(target, file.toString().endsWith(".class") ? withoutInlineMap(content) : content);
            return FileVisitResult.CONTINUE;
          }
        });
  }

  private static byte[] withoutInlineMap(byte[] content) {
    ClassWriter writer = new ClassWriter(0);
    ClassVisitor visitor =
        new ClassVisitor(Opcodes.ASM9, writer) {
          @Override
          public void visitSource(String source, String debug) {
            super.visitSource(source, null);
          }
        };
    new ClassReader(content).accept(visitor, 0);
    return writer.toByteArray();
  }

  private static void report(File exec, File classes, Path sources, int least) throws IOException {
    ExecFileLoader loader = new ExecFileLoader();
    loader.load(exec);
    CoverageBuilder builder = new CoverageBuilder();
    new Analyzer(loader.getExecutionDataStore(), builder).analyzeAll(classes);
    List<String> lines = new ArrayList<>();
    int covered = 0;
    int total = 0;
    for (ISourceFileCoverage file : builder.getSourceFiles()) {
      Path source = sources.resolve(file.getPackageName()).resolve(file.getName());
      if (!Files.exists(source)) continue; // an inlined class of Kotlin's own library
      int last = Files.readAllLines(source).size(); // lines behind it are copies of inlined functions
      int missed = 0;
      int counted = 0;
      for (int line = Math.max(1, file.getFirstLine()); line <= Math.min(last, file.getLastLine()); line++) {
        int status = file.getLine(line).getStatus();
        if (status == ICounter.EMPTY) continue;
        counted++;
        if (status == ICounter.NOT_COVERED) missed++;
      }
      total += counted;
      covered += counted - missed;
      lines.add(String.format(Locale.ROOT, "%4d of %d lines of %s never ran", missed, counted, file.getName()));
    }
    double percent = 100.0 * covered / total;
    System.out.printf(Locale.ROOT, "%.1f %% of %d lines ran%n", percent, total);
    lines.stream().sorted((a, b) -> b.compareTo(a)).limit(SHOWN).forEach(System.out::println);
    if (percent < least) {
      System.err.println("too few lines of runtime/ ran in the tests: at least " + least + " % must");
      System.exit(1);
    }
  }
}
