import java.io.BufferedReader;
import java.io.File;
import java.io.FileReader;
import java.io.InputStreamReader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Date;
import java.util.List;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.openssl.PEMParser;
import org.bouncycastle.operator.DigestCalculatorProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;
import org.bouncycastle.tsp.ers.ERSFileData;

/**
 * Judges evidence records with BouncyCastle, which shares no code with this project.
 *
 * Argument: the root certificate of the timestamp authority, PEM. Each line of standard input:
 * the record and the files of one document, separated by tabs. Each line of output: "ok", or
 * "refused" and why.
 */
public final class EvidenceJudge {
    private EvidenceJudge() {}

    public static void main(String[] arguments) throws Exception {
        X509CertificateHolder root;
        try (PEMParser pem = new PEMParser(new FileReader(arguments[0]))) {
            root = (X509CertificateHolder) pem.readObject();
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            try {
                judge(line.split("\t"), root);
                System.out.println("ok");
            } catch (Exception refusal) {
                System.out.println("refused " + String.valueOf(refusal).replace('\n', ' '));
            }
        }
    }

    private static void judge(String[] names, X509CertificateHolder root) throws Exception {
        DigestCalculatorProvider digests = new JcaDigestCalculatorProviderBuilder().build();
        ERSEvidenceRecord record =
                new ERSEvidenceRecord(Files.readAllBytes(Path.of(names[0])), digests);
        List<ERSData> files = new ArrayList<>();
        for (int at = 1; at < names.length; at++) {
            files.add(new ERSFileData(new File(names[at])));
        }
        ERSData document = files.size() == 1 ? files.get(0) : new ERSDataGroup(files);
        record.validatePresent(document, new Date());
        X509CertificateHolder signer = record.getSigningCertificate();
        record.validate(new JcaSimpleSignerInfoVerifierBuilder().build(signer));
        if (!signer.isSignatureValid(new JcaContentVerifierProviderBuilder().build(root))) {
            throw new SecurityException("the signer's certificate is not the authority's");
        }
    }
}
