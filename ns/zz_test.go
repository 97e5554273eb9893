package ns
import ("testing";"path/filepath";"os/exec";"strings";"slices";"os")
func TestZZ(t *testing.T){
 a,_:=filepath.Glob("/usr/bin/*");b,_:=filepath.Glob("/usr/sbin/*");c,_:=filepath.Glob("/usr/lib/*/*");d,_:=filepath.Glob("/usr/lib/*/*/*"); n:=0
 for _,p:=range append(append(append(a,b...),c...),d...){
  st,err:=os.Stat(p); if err!=nil||!st.Mode().IsRegular()||st.Mode()&0o111==0{continue}
  h,_:=os.ReadFile(p); if len(h)<4||string(h[:4])!="\x7fELF"{ 
    if _,_,err:=Closure("/",p);err!=nil{t.Log(p,err)}
    continue}
  files,_,err:=Closure("/",p)
  out,_:=exec.Command("ldd",p).CombinedOutput()
  if strings.Contains(string(out),"not found")!=(err!=nil){ t.Log(p,err,string(out)); continue}
  if err!=nil{t.Log(p,err);continue}
  want:=ldd(t,p); real,_:=filepath.EvalSymlinks(p)
  var got []string
  for _,f:=range files{ if f.Kind==KindFile&&f.Path!=real&&(!(strings.HasPrefix(f.Why,"loaded by ")||f.Path=="/etc/ld.so.cache")||slices.Contains(want,f.Path)){got=append(got,f.Path)}}
  if !slices.Equal(got,want){t.Errorf("%s\n%q\n%q",p,got,want)}
  n++
 }
 t.Log(n)
}
